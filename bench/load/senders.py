"""`python -m bench.load.senders`: the mutation as the handlers call it, from many callers at once and without HTTP.

The one module of the bench that calls the server's own. Another build's senders run in its folder, so what they are asked is the same for
builds of different age.
"""

import asyncio
import time
import uuid

import uvloop

from bench.load import service
from chat import messages
from store.database import PLANNING, Database

__all__ = ["PLANNING"]  # of every connection of an instance, for who measures the database without one

UNREAD_LIMIT = 50  # UNREAD_PUBLISH_LIMIT


class Senders:
    """What the other side may ask for."""

    async def run(self, url: str, plan: list, concurrent: int, seconds: float, content: str) -> dict:
        """Send for so long, caller by caller as `[user, chat]` of the plan says, on one instance's pool of connections."""
        db = Database(url)
        await db.open()
        sent, until = 0, time.monotonic() + seconds

        async def send(user, chat):
            nonlocal sent
            while time.monotonic() < until:
                await messages.send(db, user, str(uuid.uuid4()), chat, content, UNREAD_LIMIT)
                sent += 1

        try:
            began = time.monotonic()
            await asyncio.gather(*(send(*plan[number % len(plan)]) for number in range(concurrent)))
            return {"sent": sent, "rate": sent / (time.monotonic() - began)}
        finally:
            await db.close()


if __name__ == "__main__":
    uvloop.run(service.serve(Senders()))
