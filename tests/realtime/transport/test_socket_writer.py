"""The fast path over real sockets: whatever is mixed with it and however slowly it is read, the framing stays right."""

import asyncio
import time
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from realtime.protocol.frames import text_frame
from realtime.transport.backpressure import Backpressure
from realtime.transport.broadcast import Broadcast
from realtime.transport.write_queue import WriteQueue
from tests.realtime.sockets import CLOSE, PING, TEXT, Pair, until


@pytest.fixture
def queue():
    return WriteQueue()


class Crowd(Broadcast):
    """A broadcast to pairs of sockets; those that had no room are in `slow`."""

    def __init__(self, pairs, limit):
        super().__init__(pairs[0].writer._queue, Backpressure(limit))
        self.slow = []
        for pair in pairs:
            self.join(pair, pair.writer)

    def too_slow(self, member, since):
        self.slow.append(member)


def to_all(pairs, payload, limit=2**30):
    """Broadcast a frame; the pairs that are too slow for it are appended to the list that is answered, when it leaves."""
    crowd = Crowd(pairs, limit)
    crowd.deliver(text_frame(payload), None)
    return crowd.slow


# What happens to a socket: a frame of so many bytes, a ping, the client takes so many bytes, the loop turns.
STEPS = st.lists(
    st.tuples(st.sampled_from(["send", "broadcast"]), st.sampled_from([0, 1, 125, 126, 4000, 20_000, 65_536]))
    | st.tuples(st.just("ping"), st.integers(0, 125))
    | st.tuples(st.just("take"), st.sampled_from([1, 7, 500, 5000, 100_000]))
    | st.tuples(st.just("turn"), st.integers(1, 3)),
    min_size=25,
    max_size=60,
)


@settings(max_examples=200, suppress_health_check=list(HealthCheck))
@given(STEPS)
def test_every_frame_arrives_whole_and_in_order_whatever_is_written_between(steps):
    async def happen():
        pair, sent, pinged = Pair(), [], []
        for number, (what, size) in enumerate(steps):
            if what == "send":
                sent.append(number.to_bytes(4, "big") + b"x" * size)
                pair.writer.send(text_frame(sent[-1]))
            elif what == "broadcast":
                sent.append(number.to_bytes(4, "big") + b"x" * size)
                to_all([pair], sent[-1])
            elif what == "ping":
                pinged.append(bytes([number]) * size)
                pair.writer.write(bytes([0x80 | PING, size]) + pinged[-1])
            elif what == "take":
                pair.take(size)
            else:
                for _ in range(size):
                    await asyncio.sleep(0)
        await asyncio.sleep(0)
        await pair.take_everything()
        frames = pair.frames()
        assert not pair.received, "a frame is cut off"
        pair.close()
        assert [payload for opcode, payload in frames if opcode == TEXT] == sent
        assert [payload for opcode, payload in frames if opcode == PING] == pinged
        assert pair.writer.unsent == pair.writer.queued == 0

    asyncio.run(happen())


@pytest.mark.gen_test
async def test_the_frames_of_one_tick_leave_in_one_write(pair, queue):
    writes = []
    many = [pair(queue=queue, buffer=2**16) for _ in range(3)]
    for each in many:
        real = each.writer.socket
        each.writer.socket = SimpleNamespace(send=lambda data, real=real: writes.append(len(data)) or real.send(data))
    for _ in range(10):
        for each in many:
            each.writer.send(text_frame(b"x" * 98))
    assert writes == [] and [each.writer.queued for each in many] == [1000] * 3
    await asyncio.sleep(0)
    assert writes == [1000] * 3 and [each.writer.queued for each in many] == [0] * 3


@pytest.mark.gen_test
async def test_what_the_kernel_did_not_take_is_counted_until_it_does(pair, queue):
    socket = pair(queue=queue)
    frame = text_frame(b"x" * 996)
    for _ in range(200):
        socket.writer.send(frame)
        await asyncio.sleep(0)
    await until(lambda: not socket.writer.queued)
    assert 0 < socket.writer.unsent < 200_000
    drained = asyncio.ensure_future(socket.writer.drained())
    for taken in (20_000, 200_000):
        before = socket.writer.unsent
        assert not drained.done()
        socket.take(taken)
        await until(lambda before=before: socket.writer.unsent < before)
    await socket.take_everything()
    await asyncio.wait_for(drained, 5)
    assert socket.writer.unsent == 0
    assert len(socket.frames()) == 200


@pytest.mark.gen_test
async def test_draining_sends_what_this_tick_has_queued_and_is_over_at_once_where_nothing_waits(pair, queue):
    socket = pair(queue=queue)
    socket.writer.send(text_frame(b"now"))
    await socket.writer.drained()
    socket.take()
    assert socket.frames() == [(TEXT, b"now")]


@pytest.mark.gen_test
async def test_progress_is_seen_whenever_a_slow_client_takes_something(pair, queue):
    socket = pair(queue=queue)
    for _ in range(100):
        socket.writer.send(text_frame(b"x" * 1000))
    socket.writer.flush()
    began = socket.writer.progress_at
    assert began > time.monotonic() - 5
    while socket.writer.unsent:
        seen = socket.writer.progress_at
        await asyncio.sleep(0)
        assert socket.writer.progress_at == seen, "progress without any"
        while socket.writer.progress_at == seen:
            socket.take(1000)
            await asyncio.sleep(0)
    assert socket.writer.progress_at > began


@pytest.mark.gen_test
async def test_the_time_to_take_something_begins_when_something_waits_and_not_before(pair, queue):
    socket = pair(queue=queue)
    socket.writer.send(text_frame(b"taken at once"))
    socket.writer.flush()
    before = time.monotonic()
    socket.writer.send(text_frame(b"x" * 100_000))
    socket.writer.flush()
    assert socket.writer.progress_at >= before


@pytest.mark.gen_test
async def test_a_client_that_is_gone_is_told_of_and_disturbs_no_other(pair, queue):
    gone, there = pair(queue=queue), pair(queue=queue)
    gone.theirs.close()
    for _ in range(3):
        for each in (gone, there):
            each.writer.send(text_frame(b"hello"))
        await asyncio.sleep(0)
    await until(lambda: not gone.is_open)
    there.take()
    assert there.frames() == [(TEXT, b"hello")] * 3


@pytest.mark.gen_test
async def test_what_is_queued_for_a_socket_that_closes_meanwhile_goes_nowhere(pair, queue):
    socket = pair(queue=queue)
    socket.writer.send(text_frame(b"too late"))
    socket.close_ours()
    await asyncio.sleep(0)
    assert socket.writer.queued == 0
    assert socket.take() == 0


@pytest.mark.gen_test
async def test_a_ping_that_the_kernel_takes_half_of_is_not_torn_by_what_comes_next(pair, queue):
    socket = pair(queue=queue)
    to_all([socket], b"before")
    await asyncio.sleep(0)
    pings = 0
    while not socket.writer.unsent:
        socket.writer.write(bytes([0x80 | PING, 125]) + b"p" * 125)
        pings += 1
    socket.take()  # there is room again, and the event loop has not said so yet
    to_all([socket], b"after")
    queue.flush()
    await socket.take_everything()
    assert socket.frames() == [(TEXT, b"before"), *[(PING, b"p" * 125)] * pings, (TEXT, b"after")]


@pytest.mark.gen_test
async def test_a_ping_does_not_let_a_broadcast_overtake_what_is_queued(pair, queue):
    socket = pair(queue=queue)
    socket.writer.send(text_frame(b"queued"))
    socket.writer.write(bytes([0x80 | PING, 0]))
    assert socket.writer in queue.busy
    to_all([socket], b"after")
    await asyncio.sleep(0)
    socket.take()
    assert socket.frames() == [(PING, b""), (TEXT, b"queued"), (TEXT, b"after")]


LAST = b"\x88\x00"


@pytest.mark.parametrize("waits", [False, True], ids=["at once", "behind what waits"])
@pytest.mark.gen_test
async def test_nothing_follows_the_last_frame_and_then_the_connection_ends(waits, pair, queue):
    socket = pair(queue=queue)
    said = [b"x" * 60_000] if waits else []
    for payload in said:
        socket.writer.send(text_frame(payload))
        socket.writer.flush()
        assert socket.writer.unsent
    crowd = Crowd([socket], 2**30)
    crowd.deliver(text_frame(b"said to all"), None)
    socket.writer.send(text_frame(b"queued"))
    socket.writer.finish(LAST)
    for said_late in (False, True):
        crowd.deliver(text_frame(b"too late for all"), None)
        await asyncio.sleep(0)
        if said_late:
            socket.writer.send(text_frame(b"too late"))
            socket.writer.write(LAST)
        await asyncio.sleep(0)
    socket.writer.shut()
    await socket.take_everything()
    assert socket.frames() == [*[(TEXT, payload) for payload in [*said, b"said to all", b"queued"]], (CLOSE, b"")]
    assert socket.theirs.recv(1) == b""
    crowd.leave(socket)
    socket.close_ours()
    assert not queue.busy


@pytest.mark.gen_test
async def test_whoever_owns_a_socket_that_failed_hears_so_once_and_in_a_later_turn_of_the_loop(pair, queue):
    told = []
    socket = pair(queue=queue)
    socket.writer._lost = lambda: told.append(socket.writer.number)
    socket.theirs.close()
    for _ in range(3):
        socket.writer.write(text_frame(b"hello"))
    assert not told and socket.writer in queue.busy
    await asyncio.sleep(0)
    assert told == [socket.ours.fileno()]


@pytest.mark.gen_test
async def test_a_broadcast_that_the_kernel_takes_half_of_is_not_torn_by_the_next_one(pair, queue):
    socket = pair(queue=queue)
    to_all([socket], b"before")
    await asyncio.sleep(0)
    to_all([socket], b"x" * 60_000)
    queue.flush()
    assert socket.writer.unsent
    socket.take()
    to_all([socket], b"after")
    queue.flush()
    await socket.take_everything()
    assert [payload for _, payload in socket.frames()] == [b"before", b"x" * 60_000, b"after"]


@pytest.mark.gen_test
async def test_a_broadcast_goes_straight_to_the_socket_again_once_nothing_waits(pair, queue):
    socket = pair(queue=queue)
    for _ in range(2):
        socket.writer.send(text_frame(b"x" * 60_000))
        await asyncio.sleep(0)
        assert socket.writer.unsent and socket.writer in queue.busy
        await socket.take_everything()
        to_all([socket], b"hello")
        await asyncio.sleep(0)
        assert socket.writer not in queue.busy


# To many at once


@pytest.mark.gen_test
async def test_what_is_said_to_all_and_to_one_comes_in_the_order_in_which_it_was_said(pair, queue):
    one, other = pair(queue=queue), pair(queue=queue)
    one.writer.send(text_frame(b"1"))
    to_all([one, other], b"2")
    to_all([one, other], b"3")
    other.writer.send(text_frame(b"4"))
    to_all([one, other], b"5")
    await asyncio.sleep(0)
    for each, expected in ((one, b"1235"), (other, b"2345")):
        await each.take_everything()
        assert b"".join(payload for _, payload in each.frames()) == expected


@pytest.mark.gen_test
async def test_who_has_too_much_unsent_gets_nothing_and_is_named(pair, queue):
    slow, quick = pair(queue=queue), pair(queue=queue)
    slow.writer.send(text_frame(b"x" * 60_000))
    await asyncio.sleep(0)
    assert slow.writer.unsent > 1000
    named = to_all([slow, quick], b"hello", limit=1000)
    await asyncio.sleep(0)
    assert named == [slow]
    await quick.take_everything()
    await slow.take_everything()
    assert quick.frames() == [(TEXT, b"hello")] and len(slow.frames()) == 1


@pytest.mark.gen_test
async def test_one_who_is_gone_does_not_keep_it_from_the_others(pair, queue):
    gone, closed, there = pair(queue=queue), pair(queue=queue), pair(queue=queue)
    gone.theirs.close()
    closed.close_ours()
    to_all([gone, closed, there], b"hello")
    await asyncio.sleep(0)
    await there.take_everything()
    assert there.frames() == [(TEXT, b"hello")]
    await until(lambda: not gone.is_open)


@pytest.mark.gen_test
async def test_nothing_is_remembered_of_sockets_that_have_ended(pair, queue):
    one, gone = pair(queue=queue), pair(queue=queue)
    for each in (one, gone):
        each.writer.send(text_frame(b"x" * 60_000))
    queue.flush()
    assert {one.writer, gone.writer} <= queue.busy
    gone.close_ours()
    one.close_ours()
    one.writer.send(b"too late")
    await asyncio.sleep(0)
    assert not {one.writer, gone.writer} & queue.busy
