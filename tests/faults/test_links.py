"""The links: what gets through, what does not, and what comes after healing."""

import socket
import threading
import time

import pytest

from faults.links import Links


class Echo:
    """A server that says back what it hears, in capitals, and remembers it."""

    def __init__(self):
        self.heard = b""
        self.ended = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            connection, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            while data := connection.recv(65536):
                self.heard += data
                connection.sendall(data.upper())
        except OSError:
            pass
        self.ended.set()


@pytest.fixture(scope="module")
def links(tmp_path_factory):
    running = Links(tmp_path_factory.mktemp("links") / "board")
    running.start()
    yield running
    running.kill()


@pytest.fixture
def echo():
    return Echo()


@pytest.fixture
def link(links, echo, request):
    """`(name, an open connection through it)`."""
    name = request.node.name
    connection = socket.create_connection(("127.0.0.1", links.add(name, echo.port)), timeout=5)
    connection.sendall(b"first ")
    assert connection.recv(100) == b"FIRST "
    yield name, connection
    connection.close()


def silence(connection, seconds=0.3) -> bool:
    connection.settimeout(seconds)
    try:
        return not connection.recv(100)
    except TimeoutError:
        return True
    finally:
        connection.settimeout(5)


def eventually(condition):
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def ended(connection) -> bool:
    try:
        return connection.recv(100) == b""
    except ConnectionError:
        return True


def test_a_black_hole_lets_nothing_through_and_what_was_under_way_arrives_after_it(links, echo, link):
    name, connection = link
    links.set([name], "hole")
    connection.sendall(b"second")
    assert silence(connection)
    assert echo.heard == b"first "
    links.set([name], "pass")
    assert connection.recv(100) == b"SECOND"


def test_a_cut_link_breaks_its_connections_and_lets_none_in(links, echo, link):
    name, connection = link
    port = connection.getpeername()[1]
    links.set([name], "cut")
    assert ended(connection)
    assert echo.ended.wait(5)
    with socket.create_connection(("127.0.0.1", port), timeout=5) as another:
        assert ended(another)
    links.set([name], "pass")
    with socket.create_connection(("127.0.0.1", port), timeout=5) as another:
        another.sendall(b"back")
        assert another.recv(100) == b"BACK"


def test_a_deaf_link_swallows_replies_only_and_ends_where_it_did(links, echo, link):
    name, connection = link
    links.set([name], "deaf")
    connection.sendall(b"second")
    assert silence(connection)
    assert echo.heard == b"first second"
    assert links.counts()[name]["swallowed"] == 6
    links.set([name], "pass")
    assert ended(connection), "a stream with a hole in it must not go on"


def test_a_slow_link_carries_so_many_bytes_a_second(links, link):
    name, connection = link
    links.set([name], "slow", 1000)
    began = time.monotonic()
    connection.sendall(b"x" * 500)
    got = b""
    while len(got) < 500:
        got += connection.recv(1000)
    assert 0.3 < time.monotonic() - began < 3


@pytest.mark.parametrize("side", ["client", "server"])
def test_half_open_one_side_is_gone_and_the_other_is_not_told_until_healing(links, echo, link, side):
    name, connection = link
    links.half_open([name], side)
    if side == "client":
        assert ended(connection)
        assert not echo.ended.wait(0.3)
    else:
        assert echo.ended.wait(5)
        connection.sendall(b"anybody?")
        assert silence(connection)
    links.set([name], "pass")
    assert echo.ended.wait(5)
    assert ended(connection)


def test_one_side_that_does_not_read_holds_the_other_back(links, link):
    name, connection = link
    connection.setblocking(False)
    sent = 0
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            sent += connection.send(b"x" * 65536)
        except BlockingIOError:
            time.sleep(0.2)
            try:
                connection.send(b"x")
            except BlockingIOError:
                break
    else:
        pytest.fail(f"{sent} bytes were taken, and nobody reads the replies")


def test_the_end_of_one_side_is_told_to_the_other(echo, link):
    _, connection = link
    connection.close()
    assert echo.ended.wait(5)
