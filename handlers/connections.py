"""The HTTP connections of an instance: Tornado's server, less what it does for every request and need not.

Tornado sets a timer for each request that a connection may still bring (4 % of a message), and turns Nagle's algorithm off and on again
around each answer (over TCP two system calls, 2 %). Here one timer looks at all connections, and Nagle's algorithm is off: nearly every
answer is one write.
"""

import time

from tornado.httpserver import HTTPServer
from tornado.ioloop import PeriodicCallback


class Server(HTTPServer):
    """Serves an application. A connection is closed where its next request is not all there `idle_seconds` after the last answer, or at most a quarter later."""

    def initialize(self, application, *, idle_seconds: float, **options):
        super().initialize(application, **options)
        self.conn_params.header_timeout = None
        self._idle_seconds = idle_seconds
        self._waiting_since = {}  # connection → time.monotonic() when it began to wait for its last request
        self._closing = PeriodicCallback(self._close_idle, idle_seconds / 4 * 1000)
        self._closing.start()

    def stop(self):
        self._closing.stop()
        super().stop()

    def handle_stream(self, stream, address):
        stream.set_nodelay(True)
        stream.set_nodelay = _is_set
        super().handle_stream(stream, address)

    # Called by the connections

    def start_request(self, server_conn, request_conn):
        self._waiting_since[server_conn] = time.monotonic()
        return super().start_request(server_conn, request_conn)

    def on_close(self, server_conn):
        self._waiting_since.pop(server_conn, None)
        super().on_close(server_conn)

    def _close_idle(self):
        before = time.monotonic() - self._idle_seconds
        for connection, since in list(self._waiting_since.items()):
            if since < before and connection.stream.reading():  # else a request is being answered
                connection.stream.close()


def _is_set(value):
    """Instead of a stream's `set_nodelay`, which is called around each answer."""
