"""The HTTP connections of an instance: taken from the listening sockets, given to the application request by request, closed when idle."""

import asyncio
import socket
import time
from collections.abc import Callable

from tornado.ioloop import IOLoop
from tornado.iostream import StreamClosedError
from tornado.netutil import add_accept_handler
from tornado.platform.asyncio import BaseAsyncIOLoop

from web.http_connection import Connection


class Server:
    """Serves an application over HTTP/1.1. A body of more than `max_body_bytes` is refused before it is read.

    A connection is closed where its next request is not all there, or its answer has not been taken on, `idle_seconds` after the last
    progress, or at most a quarter later. One timer looks at all of them: one for each request would be 4 % of a message.
    """

    done: asyncio.Future[None]  # of what the kernel has taken already; `add_sockets` makes it
    _loop: asyncio.AbstractEventLoop

    def __init__(self, application, *, idle_seconds: float, max_body_bytes: int):
        self.max_body_bytes = max_body_bytes
        self.connections: set[Connection] = set()
        self._application = application
        self._idle_seconds = idle_seconds
        self._listening: list[Callable[[], None]] = []  # functions that end it
        self._sockets: list[socket.socket] = []
        self._timer: asyncio.TimerHandle | None = None

    def add_sockets(self, sockets):
        """Take connections from these listening sockets."""
        if self._timer is None:
            current = IOLoop.current()
            assert isinstance(current, BaseAsyncIOLoop)  # Tornado has no other
            loop = self._loop = current.asyncio_loop
            self.done = loop.create_future()
            self.done.set_result(None)
            self._look_later()
        for listening in sockets:
            self._sockets.append(listening)
            self._listening.append(add_accept_handler(listening, self._accepted))

    def stop(self):
        """Take no more connections."""
        while self._listening:
            self._listening.pop()()
        for listening in self._sockets:
            listening.close()
        if self._timer is not None:
            self._timer.cancel()

    def close_all_connections(self):
        """Close what is open, whatever it is busy with."""
        for connection in list(self.connections):
            connection.close()

    def _accepted(self, accepted, address):
        self.connections.add(Connection(self, accepted, address))

    # What the connections say

    @property
    def closed(self):
        """A future: what was written will never be with the kernel. A new one, because its exception keeps the frames that it was raised in."""
        closed = self._loop.create_future()
        closed.set_exception(StreamClosedError())
        closed.exception()  # whether or not anybody asks
        return closed

    def begin(self, request):
        """A request is complete. Its handler answers through `request.connection`, now or later."""
        delegate = self._application.find_handler(request)
        if request.body:
            delegate.data_received(request.body)
        delegate.finish()

    def forget(self, connection: Connection):
        """It has ended, or speaks another protocol from here."""
        self.connections.discard(connection)

    def _look_later(self):
        self._timer = self._loop.call_later(self._idle_seconds / 4, self._close_idle)

    def _close_idle(self):
        self._look_later()
        before = time.monotonic() - self._idle_seconds
        for connection in list(self.connections):
            if connection.since is not None and connection.since < before:
                connection.close()
