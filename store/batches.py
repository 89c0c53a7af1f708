"""Group commit: calls that arrive while others are under way share the next transaction.

A commit waits for the disk, and a statement for its way to the server and back; sixty messages together wait once. Nobody waits for company:
a call with nothing under way goes at once and alone. Behind a transaction that is soon done, more of them go together; only beside one that
takes longer, another begins.
"""

import asyncio
import math
from collections.abc import Hashable
from typing import Protocol

from errors import ParleyError, Refused, Unavailable

MOST = 64  # calls in one transaction
NOT_NOW = ("55P03", "40", "57014")  # SQLSTATEs: a lock not had in time, a deadlock, statement_timeout
LANES = 2  # transactions at a time: one is worked on while another waits for the disk, or for a lock
PATIENCE = 0.01  # seconds that one may take before another begins beside it


class Item(Protocol):
    """A call that can be made together with others."""

    chat_id: str

    @property
    def key(self) -> Hashable: ...


class Batches:
    """Calls of one kind. `run(items)` answers a result or a `Refused` for each of them; `run_alone(item)` answers one.

    An item has a `chat_id` and a `key`. A chat is in one transaction at a time: its messages would only wait for its lock, and a chat whose
    lock somebody else holds must not hold up those of the other chats. Of two items with the same key, one is the other's repetition
    and goes later.
    """

    def __init__(
        self, run, run_alone, *, seconds: float, most: int = MOST, lanes: int = LANES, patience: float = PATIENCE
    ):
        self._run, self._run_alone = run, run_alone
        self._seconds = seconds
        self._most, self._lanes, self._patience = most, lanes, patience
        self._waiting: list[tuple[Item, asyncio.Future]] = []
        self._busy: set[str] = set()  # chats under way
        self._began: list[float] = []  # when each transaction under way did, by the loop's clock
        self._again: asyncio.TimerHandle | None = None  # begins another beside it
        self._tasks: set[asyncio.Future] = set()

    async def call(self, item):
        """The item's result. Raises its `Refused`, or `Unavailable`, also where it has waited for `seconds`."""
        if not self._waiting and item.chat_id not in self._busy and self._may_begin():
            began = self._begin([item])
            try:
                return await self._run_alone(item)
            finally:
                self._end([item], began)
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._waiting.append((item, future))
        self._go_on()
        timer = loop.call_later(self._seconds, _give_up, future)  # a third of what `wait_for` costs
        try:
            return await future
        finally:
            timer.cancel()

    def _may_begin(self):
        return self._earliest() <= asyncio.get_running_loop().time()

    def _earliest(self):
        """When another transaction may begin, by the loop's clock, if none ends before."""
        if not self._began:
            return 0.0
        return self._began[-1] + self._patience if len(self._began) < self._lanes else math.inf

    def _begin(self, items) -> float:
        self._began.append(asyncio.get_running_loop().time())
        self._busy.update(item.chat_id for item in items)
        return self._began[-1]

    def _end(self, items, began):
        self._began.remove(began)
        self._busy.difference_update(item.chat_id for item in items)
        self._go_on()

    def _go_on(self):
        while self._waiting and self._may_begin() and (batch := self._take()):
            items = [item for item, _ in batch]
            task = asyncio.ensure_future(self._work(batch, items, self._begin(items)))
            self._tasks.add(task)  # the loop itself holds tasks weakly
            task.add_done_callback(self._tasks.discard)
        if self._waiting and self._again is None and self._earliest() < math.inf and not self._may_begin():
            self._again = asyncio.get_running_loop().call_at(self._earliest(), self._try_again)

    def _try_again(self):
        self._again = None
        self._go_on()

    def _take(self):
        batch: list[tuple[Item, asyncio.Future]] = []
        rest, keys = [], set()
        for item, future in self._waiting:
            if future.done():
                continue  # nobody waits for it any more
            if item.chat_id in self._busy or item.key in keys or len(batch) == self._most:
                rest.append((item, future))
            else:
                batch.append((item, future))
                keys.add(item.key)
        self._waiting = rest
        return batch

    async def _work(self, batch, items, began):
        try:
            results = await self._results(items)
        except Exception as error:
            results = [error] * len(items)
        finally:
            self._end(items, began)
        for (_, future), result in zip(batch, results, strict=True):
            if future.done():
                pass
            elif isinstance(result, BaseException):
                future.set_exception(result)
            else:
                future.set_result(result)

    async def _results(self, items):
        if len(items) > 1:
            try:
                return await self._run(items)
            except ParleyError as error:
                if not _is_answer(error):
                    raise
        # The server has refused all of them together because of one of them: each for itself.
        return await asyncio.gather(*(self._run_alone(item) for item in items), return_exceptions=True)


def _give_up(future):
    if not future.done():
        future.set_exception(Unavailable("no answer from PostgreSQL in time"))


def _is_answer(error):
    """Whether the server said no, as for a lock that it did not get, and not just nothing."""
    return isinstance(error, Refused) or (getattr(error.__cause__, "pgcode", None) or "").startswith(NOT_NOW)
