"""How this instance is, for operators, load balancers and Prometheus."""

import asyncio
from datetime import datetime, timezone

from prometheus_client import generate_latest

import metrics
from chat.payloads import iso
from errors import Unavailable
from store.migrations import UnknownSchema
from version import VERSION
from web.api_handler import ApiHandler
from web.openapi.operation import Access, operation

READY_SECONDS = 2.0


class HealthHandler(ApiHandler):
    noun = "Health"
    quiet = True

    def moment(self, seconds: float | None) -> str | None:
        return None if seconds is None else iso(datetime.fromtimestamp(seconds, timezone.utc))


class Healthz(HealthHandler):
    @operation(
        "health",
        "Whether this process lives, and what it knows of its services",
        answers={200: "Health"},
        access=Access.PUBLIC,
    )
    async def get(self):
        """Always 200 while the process answers, and without asking the services: a restart would mend none of them."""
        db, node = self.db, self.services.node
        used, most = db.pool_use
        healthy = (db.last_failure or 0) <= (db.last_success or 0) and not node.degraded
        self.answer_json(
            {
                "status": "ok" if healthy else "degraded",
                "version": VERSION,
                "draining": node.draining,
                "database": {
                    "lastSuccess": self.moment(db.last_success),
                    "lastFailure": self.moment(db.last_failure),
                    "lastError": db.last_error,
                    "connections": used,
                    "mostConnections": most,
                },
                "delivery": node.state(),
            }
        )


class Readyz(HealthHandler):
    @operation(
        "readiness",
        "Whether this instance should get requests",
        answers={200: "Readiness", 503: "Readiness"},
        access=Access.PUBLIC,
    )
    async def get(self):
        """Not while it drains, PostgreSQL does not answer, or the schema is not this release's.

        Without Redis it is `degraded`, and ready.
        """
        node = self.services.node
        if node.draining:
            self.answer_json({"status": "draining", "reason": "This instance is about to stop."}, 503)
            return
        try:
            await asyncio.wait_for(self.db.check_schema(), READY_SECONDS)
        except UnknownSchema as unknown:
            self.answer_json({"status": "unavailable", "reason": str(unknown)}, 503)
        except (Unavailable, asyncio.TimeoutError):
            self.answer_json({"status": "unavailable", "reason": "PostgreSQL does not answer."}, 503)
        else:
            self.answer_json(
                {"status": "degraded", "reason": "Redis does not carry events now; they arrive a little later."}
                if node.degraded
                else {"status": "ok", "reason": None}
            )


class Metrics(HealthHandler):
    @operation("metrics", "Metrics for Prometheus", answers={200: "Text"}, media="text/plain", access=Access.PUBLIC)
    async def get(self):
        self.set_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.finish(generate_latest(metrics.REGISTRY))
