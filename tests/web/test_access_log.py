"""The access log writes the lines of a moment together, each as the log would have written it alone."""

import asyncio
import io
import logging
import time

import pytest

from web.access_log import AccessLog


class Stream(io.StringIO):
    """Remembers each write."""

    def __init__(self):
        super().__init__()
        self.writes = []

    def write(self, text):
        self.writes.append(text)
        return super().write(text)


class Kept(logging.Handler):
    """A handler that is no stream."""

    def __init__(self):
        super().__init__()
        self.lines, self.records = [], []

    def emit(self, record):
        self.lines.append(record.getMessage())
        self.records.append(record)


@pytest.fixture
def attach():
    """`attach(handler)` for the time of a test, at INFO and with a format."""
    logger, attached = logging.getLogger("parley.http"), []
    before = logger.level
    logger.setLevel(logging.INFO)

    def add(handler):
        handler.setFormatter(logging.Formatter("%(levelname).1s %(name)s %(message)s"))
        logger.addHandler(handler)
        attached.append(handler)
        return handler

    yield add
    logger.setLevel(before)
    for handler in attached:
        logger.removeHandler(handler)


@pytest.mark.gen_test
async def test_the_lines_of_a_moment_are_one_write_in_their_order(attach):
    stream, kept = attach(logging.StreamHandler(Stream())).stream, attach(Kept())
    log = AccessLog()
    for number in range(3):
        log.note(logging.INFO, "GET %d", number)
    log.note(logging.DEBUG, "not asked for")
    assert not stream.writes
    while not stream.writes:
        await asyncio.sleep(0.01)
    assert stream.writes == ["I parley.http GET 0\nI parley.http GET 1\nI parley.http GET 2\n"]
    assert kept.lines == ["GET 0", "GET 1", "GET 2"]
    log.note(logging.INFO, "GET 3")
    while len(stream.writes) < 2:
        await asyncio.sleep(0.01)
    assert stream.writes[1] == "I parley.http GET 3\n"


@pytest.mark.gen_test
async def test_a_stream_with_a_level_or_a_filter_of_its_own_gets_no_more_than_it_wants(attach):
    stern = attach(logging.StreamHandler(Stream()))
    stern.setLevel(logging.WARNING)
    picky = attach(logging.StreamHandler(Stream()))
    picky.addFilter(lambda record: "1" in record.getMessage())
    log = AccessLog()
    for number in range(3):
        log.note(logging.INFO, "GET %d", number)
    while not picky.stream.writes:
        await asyncio.sleep(0.01)
    assert picky.stream.getvalue() == "I parley.http GET 1\n" and stern.stream.writes == []


def test_what_is_noted_when_the_loop_ends_is_written(attach):
    stream = attach(logging.StreamHandler(Stream())).stream

    async def ends_at_once():
        AccessLog().note(logging.INFO, "GET %d", 1)
        await asyncio.sleep(0)

    asyncio.run(ends_at_once())
    assert stream.getvalue() == "I parley.http GET 1\n"


@pytest.mark.gen_test
async def test_a_stream_that_is_gone_costs_its_lines_alone(attach, capsys):
    gone, kept = attach(logging.StreamHandler(Stream())), attach(Kept())
    gone.stream.close()
    AccessLog().note(logging.INFO, "GET %d", 1)
    while not kept.lines:
        await asyncio.sleep(0.01)
    assert kept.lines == ["GET 1"] and "Logging error" in capsys.readouterr().err


@pytest.mark.gen_test
async def test_a_record_says_what_logging_itself_would_say(attach):
    kept, log = attach(Kept()), AccessLog()
    before = time.time()
    for number in range(2):
        log.note(logging.WARNING, "GET %d", number)
        logging.getLogger("parley.http").warning("GET %d", number)
        await asyncio.sleep(0.005)
    while len(kept.records) < 4:
        await asyncio.sleep(0.01)
    *theirs, first, second = kept.records
    for ours, its in zip((first, second), theirs, strict=True):
        assert vars(ours).keys() == vars(its).keys()
        for name in ("name", "levelno", "levelname", "msg", "args", "process", "processName", "thread", "threadName"):
            assert getattr(ours, name) == getattr(its, name)
        assert before <= ours.created <= its.created and ours.msecs == int(ours.created % 1 * 1000)
        assert its.relativeCreated - ours.relativeCreated == pytest.approx((its.created - ours.created) * 1000, abs=1)
