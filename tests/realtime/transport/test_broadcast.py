"""Broadcasts over real sockets, with a ring and without: for those who are there, whatever happens to one of them, and for nobody else."""

import asyncio
import errno
import gc
import os
import socket
import weakref

import pytest

from realtime.protocol.frames import text_frame
from realtime.transport import io_uring
from realtime.transport.backpressure import Backpressure
from realtime.transport.broadcast import MANY, Broadcast
from realtime.transport.write_queue import WriteQueue
from tests.realtime.sockets import TEXT, Pair


@pytest.fixture(params=["io_uring", "loop"])
def queue(request, io_loop):
    """A `WriteQueue` whose broadcasts leave by io_uring, and one whose broadcasts leave in a loop."""
    queue = WriteQueue()
    if request.param == "io_uring":
        try:
            queue.io_uring = io_uring.IoUring()
        except io_uring.Unavailable as why:
            pytest.skip(f"the kernel of this machine does not let us: {why}")
    yield queue
    if queue.io_uring is not None:
        queue.io_uring.close()


class Crowd(Broadcast):
    """A broadcast to pairs of sockets, of which nobody ever has too little room."""

    def __init__(self, queue, pairs=()):
        super().__init__(queue, Backpressure(2**30))
        for each in pairs:
            self.join(each, each.writer)


async def crowd_of(pairs, queue) -> Crowd:
    """A broadcast that has had so much said to it that what is needed for it is kept."""
    crowd = Crowd(queue, pairs)
    for payload in (b"first", b"second", b"third"):
        say(crowd, payload)
        await asyncio.sleep(0)
        for each in pairs:
            each.take()
            assert each.frames() == [(TEXT, payload)]
    assert not queue.busy & {each.writer for each in pairs}
    return crowd


def sockets_until(number) -> list[socket.socket]:
    """New sockets, one of which has this file descriptor."""
    made = []
    while number not in [each.fileno() for each in made]:
        made += socket.socketpair()
    return made


def nothing_came_to(sockets):
    for each in sockets:
        each.setblocking(False)
        with pytest.raises(BlockingIOError):
            each.recv(1)
    for each in sockets:
        each.close()


def say(crowd, payload):
    crowd.deliver(text_frame(payload), None)


@pytest.mark.gen_test
@pytest.mark.parametrize("number", [3, MANY + 3], ids=["few", "many"])
async def test_whoever_comes_goes_or_is_held_up_a_broadcast_is_for_those_who_are_there(pair, queue, number):
    crowd, pairs = Crowd(queue), [pair(queue=queue) for _ in range(number)]
    said = {each: [] for each in pairs}

    async def tell(payload):
        say(crowd, payload)
        await asyncio.sleep(0)
        for each in crowd.members():
            said[each].append(payload)

    for each in pairs[:-1]:
        crowd.join(each, each.writer)
    await tell(b"to all but the last")
    crowd.join(pairs[-1], pairs[-1].writer)
    await tell(b"to all")
    crowd.leave(pairs[0])
    await tell(b"to all but the first")
    await tell(b"x" * 60_000)  # more than the kernel takes
    assert all(each.writer in queue.busy for each in pairs[1:])
    pairs[1].take()
    await tell(b"while it waits")
    for each in pairs:
        await each.take_everything()
    await tell(b"to sockets that are free again")
    await tell(b"and went straight")
    for each in pairs:
        await each.take_everything()
        assert [payload for _, payload in each.frames()] == said[each]


@pytest.mark.gen_test
async def test_where_one_of_many_is_held_up_the_others_do_not_wait_for_it(pair, queue):
    crowd, pairs = Crowd(queue), [pair(queue=queue) for _ in range(MANY)]
    for each in pairs:
        crowd.join(each, each.writer)
    for payload in (b"first", b"second"):
        pairs[7].writer.send(text_frame(b"x" * 60_000))
        queue.flush()
        assert pairs[7].writer.unsent
        say(crowd, payload)
        queue.flush()
        for each in pairs[:7] + pairs[8:]:
            assert not each.writer.unsent
            each.take()
            assert each.frames()[-1] == (TEXT, payload)
    await pairs[7].take_everything()
    assert [payload[:6] for _, payload in pairs[7].frames()] == [b"xxxxxx", b"first", b"xxxxxx", b"second"]


@pytest.mark.gen_test
async def test_a_new_socket_with_the_number_of_one_that_was_closed_gets_nothing_of_it(pair, queue):
    pairs = [pair(queue=queue) for _ in range(MANY)]
    crowd = await crowd_of(pairs, queue)
    closed = pairs[3]
    number = closed.ours.fileno()
    # All in one turn of the loop: nobody has heard yet that it is closed.
    closed.close_ours()
    strangers = sockets_until(number)
    for _ in range(3):
        say(crowd, b"not for strangers")
        queue.flush()
    for each in pairs[:3] + pairs[4:]:
        each.take()
        assert each.frames() == 3 * [(TEXT, b"not for strangers")]
    crowd.leave(closed)
    for _ in range(3):
        say(crowd, b"afterwards")
        queue.flush()
    nothing_came_to(strangers)
    assert not queue.busy


@pytest.mark.gen_test
async def test_a_closed_socket_that_somebody_forgot_in_a_crowd_is_never_sent_to_by_its_number(pair, queue):
    pairs = [pair(queue=queue) for _ in range(MANY)]
    crowd = await crowd_of(pairs, queue)
    forgotten = pairs[3]
    number = forgotten.ours.fileno()
    forgotten.close_ours()  # before it has left
    strangers = sockets_until(number)
    for _ in range(3):
        say(crowd, b"not for strangers")
        queue.flush()
    nothing_came_to(strangers)
    assert forgotten.writer in queue.busy
    crowd.leave(forgotten)
    assert not queue.busy


@pytest.mark.gen_test
async def test_one_whose_other_side_is_gone_is_closed_and_the_others_have_it(pair, queue):
    pairs = [pair(queue=queue) for _ in range(MANY + 2)]
    crowd = await crowd_of(pairs, queue)
    pairs[4].theirs.close()
    say(crowd, b"hello")
    queue.flush()
    await asyncio.sleep(0)
    assert [each for each in pairs if not each.is_open] == [pairs[4]]
    for each in pairs[:4] + pairs[5:]:
        each.take()
        assert each.frames() == [(TEXT, b"hello")]


@pytest.mark.gen_test
async def test_what_is_too_long_for_the_ring_leaves_all_the_same(pair, queue):
    pairs = [pair(queue=queue, buffer=2**20) for _ in range(MANY)]
    crowd = await crowd_of(pairs, queue)
    long = b"x" * (io_uring.MOST_BYTES + 1)
    say(crowd, long)
    await asyncio.sleep(0)
    for each in pairs:
        await each.take_everything()
        assert each.frames() == [(TEXT, long)]


@pytest.mark.gen_test
async def test_when_the_ring_fails_nobody_is_left_half_told_and_later_ones_leave_without_it(pair, queue):
    if queue.io_uring is None:
        return
    pairs, others = [pair(queue=queue) for _ in range(MANY)], [pair(queue=queue) for _ in range(MANY)]
    crowd, later = await crowd_of(pairs, queue), await crowd_of(others, queue)

    def refused(*arguments):
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    queue.io_uring._enter = refused
    say(crowd, b"hello")
    queue.flush()
    await asyncio.sleep(0)
    assert not any(each.is_open for each in pairs) and queue.io_uring is None
    say(later, b"hello")
    queue.flush()
    for each in others:
        each.take()
        assert each.frames() == [(TEXT, b"hello")]


@pytest.mark.gen_test
async def test_nothing_is_kept_of_a_crowd_that_changes_before_each_broadcast(pair, queue):
    pairs = [pair(queue=queue) for _ in range(MANY + 3)]
    crowd = await crowd_of(pairs[:MANY], queue)
    assert crowd._direct
    for each in pairs[MANY:]:
        crowd.join(each, each.writer)
        say(crowd, b"hello")
        queue.flush()
        assert not crowd._direct
    for each in pairs[:3]:
        crowd.leave(each)
        say(crowd, b"hello")
        queue.flush()
        assert not crowd._direct


@pytest.mark.gen_test
async def test_another_ring_does_not_send_what_the_last_one_was_given(pair, queue):
    if queue.io_uring is None:
        return
    pairs = [pair(queue=queue) for _ in range(MANY)]
    crowd, first = await crowd_of(pairs, queue), queue.io_uring
    queue.io_uring = io_uring.IoUring()
    say(crowd, b"later")
    queue.flush()
    for each in pairs:
        each.take()
        assert each.frames() == [(TEXT, b"later")]
    queue.io_uring.close()
    queue.io_uring = first


@pytest.mark.gen_test
@pytest.mark.parametrize("how", ["closed", "reset", "broken off"])
async def test_a_closed_socket_does_not_wait_for_a_collection_of_garbage(pair, queue, how):
    one = Pair(queue=queue)
    watched = weakref.ref(one)
    gc.disable()
    try:
        one.writer.send(text_frame(b"hello"))
        await asyncio.sleep(0)
        if how == "reset":
            one.theirs.close()
            one.writer.send(text_frame(b"too late"))
            await asyncio.sleep(0)
        elif how == "broken off":
            try:
                raise ConnectionResetError
            except OSError as error:
                one.writer.break_off(error)
        one.close()
        await asyncio.sleep(0)
        del one
        assert watched() is None
    finally:
        gc.enable()
