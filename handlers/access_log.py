"""The access log: a line for every request, and the lines of a moment in one write.

A write to a pipe wakes whoever reads it. One for each line was a tenth of what a message cost an instance.
"""

import asyncio
import logging

log = logging.getLogger("parley.http")

SECONDS = 0.05  # until a line is written; a process that is killed loses so much of its log


class AccessLog:
    """The lines of one instance."""

    def __init__(self):
        self._records = []
        self._task = None

    def note(self, level: int, text: str, *arguments):
        """As `log.log`, a moment later."""
        if log.isEnabledFor(level):
            self._records.append(log.makeRecord(log.name, level, __file__, 0, text, arguments, None))
            if len(self._records) == 1:
                self._task = asyncio.ensure_future(self._write_soon())  # the loop itself holds tasks weakly

    async def _write_soon(self):
        try:
            await asyncio.sleep(SECONDS)
        finally:  # also where the loop ends
            records, self._records = self._records, []
            logger = log
            while logger:
                for handler in logger.handlers:
                    _write(handler, records)
                logger = logger.propagate and logger.parent


def _write(handler, records):
    """What the handler does with each of them, but into a plain stream with one write."""
    taken = [record for record in records if record.levelno >= handler.level]
    if type(handler) is not logging.StreamHandler or handler.filters:
        for record in taken:
            handler.handle(record)
    elif taken:
        try:
            with handler.lock:
                handler.stream.write("".join(handler.format(record) + handler.terminator for record in taken))
                handler.flush()
        except Exception:
            handler.handleError(taken[0])
