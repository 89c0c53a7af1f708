"""One consumer's work in one instance: what was committed here at once, and what was missed anywhere in pages."""

import asyncio
import logging
import random
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import metrics
from errors import ParleyError, Unavailable
from workers import positions

log = logging.getLogger("parley.workers")

GRACE = 3.0  # seconds after which an event's work counts as missed: longer than the delay, the work and a wait for a lock together
SCAN_PAGE = 1000  # chats in one statement, while all chats are looked at
LONGEST_PAUSE = 10.0  # seconds between two attempts while PostgreSQL is away


@dataclass(frozen=True)
class Limits:
    """The settings of the same names; seconds, chats and events."""

    work_delay_seconds: float = 0.2
    work_sweep_seconds: float = 5.0
    work_lease_seconds: float = 30.0
    work_retry_seconds: float = 300.0
    work_chats: int = 100
    work_events: int = 2000
    workers_at_once: int = 1


class Worker:
    """`turns` bounds what all workers of an instance do at once: they have as many connections."""

    def __init__(self, db, consumer, limits: Limits, turns: asyncio.Semaphore):
        self._db, self._consumer, self._limits, self._turns = db, consumer, limits, turns
        self._noted: dict[str, float] = {}  # chat → when it was noted, by the monotonic clock
        self._under_way: dict[str, float] = {}  # the same, of those that are worked on
        self._leases: dict[datetime, list[str]] = {}  # lease → its chats, until it is settled or returned
        self._wake, self._stopping = asyncio.Event(), asyncio.Event()
        self._sweep_at = 0.0
        self._overdue = 0.0, 0.0  # age of the oldest event that the due chats are owed, and when it was looked at
        self._task: asyncio.Task | None = None
        self._done = metrics.consumer_done.labels(consumer.name)
        self._failed = metrics.consumer_failed.labels(consumer.name)
        self._due = metrics.consumer_due.labels(consumer.name)
        metrics.consumer_lag.labels(consumer.name).set_function(self._lag)

    def note(self, chat_id: str):
        """An event of this chat was committed here."""
        if chat_id not in self._noted:
            self._noted[chat_id] = time.monotonic()
            self._wake.set()

    def start(self):
        self._task = asyncio.ensure_future(self._run())

    async def stop(self, seconds: float):
        """Do what is noted, for up to so many seconds, and leave the rest to the other instances."""
        if self._task is None:
            return
        self._stopping.set()
        self._wake.set()
        await asyncio.wait([self._task], timeout=seconds)
        while not self._task.done():  # before Python 3.12, `wait_for` can lose a cancellation
            self._task.cancel()
            await asyncio.wait([self._task], timeout=0.1)
        with suppress(ParleyError, asyncio.TimeoutError):
            await asyncio.wait_for(self._return_leases(), 1)

    def _lag(self):
        now = time.monotonic()
        age, seen_at = self._overdue
        noted = min([*self._noted.values(), *self._under_way.values()], default=now)
        return max(now - noted, age and age + now - seen_at)

    # The loop

    async def _run(self):
        pause = 0.0
        while not self._stopping.is_set() or self._noted:
            try:
                await self._wait()
                await self._return_leases()
                await self._do_noted()
                if time.monotonic() >= self._sweep_at and not self._stopping.is_set():
                    await self._sweep()
                    self._sweep_at = time.monotonic() + self._limits.work_sweep_seconds * random.uniform(0.8, 1.2)
                pause = 0.0
            except Exception as error:
                if not pause:  # one line, however long it lasts
                    log.warning(
                        "the work of %s pauses: %s", self._consumer.name, _why(error), exc_info=not _is_away(error)
                    )
                pause = min(2 * pause or 0.5, LONGEST_PAUSE)
                with suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), pause * random.uniform(0.8, 1.2))
                if self._stopping.is_set():
                    return

    async def _wait(self):
        """Until something is noted, and then a little for what goes with it; or until it is time to sweep."""
        if not self._noted:
            self._wake.clear()
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._wake.wait(), max(0.0, self._sweep_at - time.monotonic()))
        if self._noted:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), self._limits.work_delay_seconds)

    async def _do_noted(self):
        """A page of everything that is noted now."""
        left = len(self._noted)
        while left > 0:
            chats = {
                chat_id: self._noted.pop(chat_id) for chat_id in list(islice(self._noted, self._limits.work_chats))
            }
            left -= len(chats)
            self._under_way, again = chats, list(chats)
            try:
                _, again = await self._work(chats)
            finally:
                self._under_way = {}
                if not self._stopping.is_set():
                    self._noted |= {chat_id: chats[chat_id] for chat_id in again}

    async def _sweep(self):
        """Find what was missed, and do what is due, page by page."""
        more = True
        while more and not self._stopping.is_set():
            began = time.monotonic()
            async with self._turns:
                more = await positions.find_missed(
                    self._db,
                    self._consumer,
                    every=self._limits.work_sweep_seconds / 2,
                    grace=GRACE,
                    page=SCAN_PAGE,
                )
            while chat_ids := await positions.due(self._db, self._consumer, self._limits.work_chats):
                await self._look_at_backlog()
                leased, _ = await self._work(chat_ids)
                if not leased or self._stopping.is_set():
                    break
                await self._pause(began)
                began = time.monotonic()
            if more:
                await self._pause(began)
        await self._look_at_backlog()

    async def _pause(self, began):
        """Between two pages, for as long as one took: the database is not theirs alone. What is noted does not wait."""
        await self._do_noted()
        await asyncio.sleep(min(time.monotonic() - began, 1.0))

    async def _look_at_backlog(self):
        chats, age = await positions.backlog(self._db, self._consumer)
        self._due.set(chats)
        self._overdue = age, time.monotonic()

    # The work

    async def _work(self, chat_ids) -> tuple[int, list[str]]:
        """Do a page of it in these chats. Answers how many could be leased, and which must be asked for again."""
        async with self._turns:
            claim = await positions.claim(self._db, self._consumer, chat_ids, self._limits.work_lease_seconds)
            if claim.lease is None:
                return 0, claim.taken
            self._leases[claim.lease] = list(claim.positions)
            # Begun in its first half and given up after a quarter of it, so that the lease still holds while this is written down.
            new, failed = await self._attempt(claim.positions, time.monotonic() + self._limits.work_lease_seconds / 2)
            again = await positions.settle(self._db, self._consumer, new, claim.lease) if new else []
            if failed:
                await self._fail(failed, claim.lease)
            if len(new) + len(failed) == len(claim.positions):
                del self._leases[claim.lease]
            self._done.inc(sum(position - claim.positions[chat_id] for chat_id, position in new.items()))
            return len(claim.positions), again + claim.taken

    async def _attempt(self, old, until) -> tuple[dict[str, int], dict[str, str]]:
        """The new positions, and why others failed. A chat that could not be tried in time is in neither. Raises where PostgreSQL is away."""
        try:
            work = self._consumer.work(self._db, old, max(1, self._limits.work_events // len(old)))
            moved = await asyncio.wait_for(work, self._limits.work_lease_seconds / 4)
        except Exception as error:
            if len(old) == 1:
                if _is_away(error):
                    raise
                return {}, dict.fromkeys(old, _why(error))
        else:
            new = {chat_id: moved[chat_id] for chat_id in old if moved.get(chat_id, 0) > old[chat_id]}
            return new, dict.fromkeys(old.keys() - new.keys(), "nothing was done")
        # Each for itself, so that the one at fault does not hold up the others.
        new, failed = {}, dict[str, str]()
        for chat_id, position in old.items():
            if time.monotonic() < until:
                moved, why = await self._attempt({chat_id: position}, until)
                new |= moved
                failed |= why
        return new, failed

    async def _fail(self, failed, lease):
        self._failed.inc(len(failed))
        chat_id, why = next(iter(failed.items()))
        others = f", and for {len(failed) - 1} more" if len(failed) > 1 else ""
        log.warning("the work of %s failed for chat %s: %s%s", self._consumer.name, chat_id, why, others)
        await positions.fail(self._db, self._consumer, failed, lease, self._limits.work_retry_seconds)

    async def _return_leases(self):
        """What was interrupted is anybody's again."""
        for lease in list(self._leases):
            await positions.give_up(self._db, self._consumer, self._leases[lease], lease)
            del self._leases[lease]


def _is_away(error):
    return isinstance(error, Unavailable) and error.why != "statement_timeout"


def _why(error):
    """For the log. A database's message may quote a text, so only its code is shown."""
    if isinstance(error, Unavailable):
        return error.why
    return f"{type(error).__name__} {getattr(error, 'pgcode', None) or ''}".strip()
