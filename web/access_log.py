"""The access log: a line for every request, and the lines of a moment in one write.

A write to a pipe wakes whoever reads it. One for each line was a tenth of what a message cost an instance; a log record for each was
another fiftieth.
"""

import asyncio
import logging
import time
from copy import copy

log = logging.getLogger("parley.http")

SECONDS = 0.05  # until a line is written; a process that is killed loses so much of its log


class AccessLog:
    """The lines of one instance."""

    def __init__(self):
        self._lines = []  # (level, text, arguments, time.time())
        self._task: asyncio.Future | None = None

    def note(self, level: int, text: str, *arguments):
        """As `log.log`, a moment later."""
        if log.isEnabledFor(level):
            self._lines.append((level, text, arguments, time.time()))
            if len(self._lines) == 1:
                self._task = asyncio.ensure_future(self._write_soon())  # the loop itself holds tasks weakly

    async def _write_soon(self):
        try:
            await asyncio.sleep(SECONDS)
        finally:  # also where the loop ends
            lines, self._lines = self._lines, []
            records = _records(lines)
            logger: logging.Logger | None = log
            while logger is not None:
                for handler in logger.handlers:
                    _write(handler, records)
                logger = logger.parent if logger.propagate else None


def _records(lines):
    """What `logging` makes of each line; it makes one, of which the others are copies."""
    model = log.makeRecord(log.name, logging.INFO, __file__, 0, "", (), None)
    records = []
    for level, text, arguments, at in lines:
        record = copy(model)
        record.levelno, record.levelname, record.msg, record.args = level, logging.getLevelName(level), text, arguments
        record.created, record.msecs = at, int(at % 1 * 1000) + 0.0
        record.relativeCreated = model.relativeCreated + (at - model.created) * 1000
        records.append(record)
    return records


def _write(handler, records):
    """What the handler does with each of them, but into a plain stream with one write."""
    taken = [record for record in records if record.levelno >= handler.level]
    if type(handler) is not logging.StreamHandler or handler.filters:
        for record in taken:
            handler.handle(record)
    elif taken:
        try:
            handler.acquire()
            try:
                handler.stream.write("".join(handler.format(record) + handler.terminator for record in taken))
                handler.flush()
            finally:
                handler.release()
        except Exception:
            handler.handleError(taken[0])
