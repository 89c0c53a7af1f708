"""When an instance compares itself with PostgreSQL, and what follows for its sessions and for its history."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from datetime import datetime
from typing import TYPE_CHECKING

import metrics
from errors import ParleyError

if TYPE_CHECKING:
    from realtime.node import Node

logger = logging.getLogger("parley.head_checks")


class HeadChecks:
    """The regular comparisons of one instance. Its reconciler makes them and repairs the chats."""

    def __init__(self, node: Node):
        self._node = node
        self._soon = asyncio.Event()
        self._under_way = False
        # Until when nothing from Redis was missed, by the database's clock.
        self._whole_at: datetime | None = None
        self.checked_at: float | None = None  # time.time()

    def soon(self):
        """Something may have been missed: the next check begins at once."""
        self._soon.set()

    @property
    def is_idle(self) -> bool:
        """Whether every check that was asked for has ended."""
        return not (self._under_way or self._soon.is_set())

    async def run(self):
        limits = self._node.limits
        may_have_missed = False  # since the last check that had an answer
        while True:
            degraded = self._node.degraded
            seconds = limits.head_check_degraded_seconds if degraded else limits.head_check_seconds
            try:
                await asyncio.wait_for(self._soon.wait(), seconds * random.uniform(0.8, 1.2))
            except asyncio.TimeoutError:
                pass
            may_have_missed |= degraded or self._soon.is_set()
            self._soon.clear()
            self._under_way = True
            try:
                await self.check(may_have_missed)
                may_have_missed = False
            except ParleyError as error:
                metrics.head_checks.labels("failed").inc()
                logger.warning("head check failed: %s", getattr(error, "why", error))
                await asyncio.sleep(limits.head_check_degraded_seconds)
            except Exception:
                logger.exception("head check failed")
                await asyncio.sleep(limits.head_check_degraded_seconds)
            finally:
                self._under_way = False

    async def check(self, may_have_missed: bool):
        """Compare once. `may_have_missed` says that publications may have been lost since the last check. Raises `Unavailable`."""
        node = self._node
        remembered = node.remembered.ids() if node.remembered is not None else set()
        session_ids = {client.session_id for client in node.hub.clients} | node.activity.session_ids | remembered
        whole_at, asked_at = self._whole_at, time.monotonic()
        changes = await node.reconciler.check(session_ids, whole_at, may_have_missed)
        if changes.epoch != node.epoch or changes.ran_back:
            node.begin_history(changes.epoch)
            return
        node.end_sessions(changes.sessions)
        if node.remembered is not None and remembered:
            node.remembered.confirmed(remembered - changes.sessions, asked_at)
        self.checked_at = time.time()
        if self._whole_at is whole_at and (may_have_missed or not node.degraded):
            self._whole_at = changes.at
