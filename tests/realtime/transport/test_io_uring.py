"""One system call for many sockets: who got everything, who did not, and that nobody else got anything."""

import errno
import os
import random
import resource
import socket

import pytest

from realtime.transport import io_uring
from realtime.transport.io_uring import MANY, MOST_BYTES, IoUring, Unavailable


@pytest.fixture
def one():
    try:
        made = IoUring()
    except Unavailable as why:
        pytest.skip(f"the kernel of this machine does not let us: {why}")
    yield made
    made.close()


@pytest.fixture
def pairs():
    """`pairs(n)` → n pairs of connected sockets; the first of each does not block."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    made = []

    def make(count):
        if 2 * count > soft - 100:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 2 * count + 1000), hard))
        made.extend(socket.socketpair() for _ in range(count))
        for ours, theirs in made:
            ours.setblocking(False), theirs.setblocking(False)
        return made

    yield make
    for pair in made:
        for end in pair:
            end.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def orders(one, pairs):
    return one.requests([ours.fileno() for ours, _ in pairs])


def taken(theirs) -> bytes:
    try:
        return theirs.recv(2**20)
    except BlockingIOError:
        return b""


@pytest.mark.parametrize("count", [1, 3, MANY - 1, MANY, MANY + 1, 2 * MANY + 500])
def test_each_socket_gets_everything_once_and_in_order(one, pairs, count):
    some, said = pairs(count), []
    given = orders(one, some)
    for number in range(7):
        said.append(b"%d " % number * random.randrange(1, 40))
        assert one.send(given, said[-1]) == []
    assert all(taken(theirs) == b"".join(said) for _, theirs in some)


def test_the_rings_go_round_many_times(one, pairs):
    some = pairs(3)
    given, more = orders(one, some), orders(one, some[:2])
    for number in range(3 * MANY):
        assert one.send(given if number % 2 else more, b"%d" % number) == []
        assert [taken(theirs) for _, theirs in some] == [
            b"%d" % number,
            b"%d" % number,
            b"%d" % number if number % 2 else b"",
        ]


def test_whoever_did_not_take_it_is_named_with_the_reason_and_the_others_have_it(one, pairs):
    some = pairs(MANY + 20)
    given = orders(one, some)
    some[3][0].close()
    some[5][1].close()
    some[MANY + 7][1].close()
    full = some[MANY + 9][0]
    while True:
        try:
            full.send(b"x" * 5000)
        except BlockingIOError:
            break
    assert sorted(one.send(given, b"hello")) == [
        (3, -errno.EBADF),
        (5, -errno.EPIPE),
        (MANY + 7, -errno.EPIPE),
        (MANY + 9, -errno.EAGAIN),
    ]
    assert all(
        taken(theirs) == b"hello" for place, (_, theirs) in enumerate(some) if place not in (3, 5, MANY + 7, MANY + 9)
    )


def test_a_socket_that_takes_a_part_says_how_much(one, pairs):
    some = pairs(40)
    small = socket.create_server(("127.0.0.1", 0))
    ours, theirs = socket.create_connection(small.getsockname()), small.accept()[0]
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    ours.setblocking(False)
    some[20][0].close(), some[20][1].close()
    some[20] = ours, theirs
    given, sent = orders(one, some), 0
    data = os.urandom(MOST_BYTES)
    while True:
        failed = [(place, result) for place, result in one.send(given, data) if place == 20]
        for _, other in some[:20] + some[21:]:
            while taken(other):
                pass
        if failed:
            break
        sent += len(data)
    ((_, part),) = failed
    theirs.settimeout(5)
    ours.close()
    received = b""
    while piece := theirs.recv(2**20):
        received += piece
    assert received == (data * (sent // len(data) + 1))[: sent + max(0, part)]
    theirs.close(), small.close()


def test_what_it_sent_last_is_not_sent_again(one, pairs):
    some = pairs(20)
    given = orders(one, some)
    assert one.send(given, b"x" * 1000) == [] and one.send(given, b"y") == []
    assert all(taken(theirs) == b"x" * 1000 + b"y" for _, theirs in some)


def test_a_machine_without_it_is_told_apart(monkeypatch):
    monkeypatch.setattr(io_uring, "_SETUP", 1_000_000)  # a system call that no kernel has
    with pytest.raises(Unavailable, match="not implemented"):
        IoUring()


def test_a_kernel_that_takes_the_call_and_refuses_the_request_is_told_apart(monkeypatch):
    try:
        IoUring().close()
    except Unavailable as why:
        pytest.skip(f"the kernel of this machine does not let us: {why}")
    monkeypatch.setattr(io_uring, "_SEND", 250)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(Unavailable, match="does not send"):
        IoUring()
    assert os.listdir("/proc/self/fd") == before


def test_a_call_that_is_cut_short_is_made_again_and_one_that_fails_is_raised(one, pairs):
    some = pairs(20)
    given, enter, calls = orders(one, some), one._enter, []

    def interrupted(io_uring, count, wanted, *rest):
        calls.append(count)
        if len(calls) == 1:
            raise OSError(errno.EINTR, "interrupted")
        return enter(io_uring, min(count, 7), 0 if count > 7 else wanted, *rest)

    one._enter = interrupted
    assert one.send(given, b"hello") == [] and calls == [20, 20, 13, 6]
    assert all(taken(theirs) == b"hello" for _, theirs in some)

    def refused(*arguments):
        raise OSError(errno.ENOMEM, "no memory")

    one._enter = refused
    with pytest.raises(OSError, match="no memory"):
        one.send(given, b"hello")


def test_nothing_is_open_when_it_is_closed():
    try:
        made = IoUring()
    except Unavailable as why:
        pytest.skip(f"the kernel of this machine does not let us: {why}")
    number = made._fd
    assert "io_uring" in os.readlink(f"/proc/self/fd/{number}")
    made.close()
    assert not os.path.exists(f"/proc/self/fd/{number}") or "io_uring" not in os.readlink(f"/proc/self/fd/{number}")
