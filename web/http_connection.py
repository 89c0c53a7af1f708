"""HTTP/1.1 of one connection: bytes in, requests out, and their answers back, one after another.

Tornado reads a request with a dozen coroutines, futures and regular expressions: more than half of what a short one costs. Here llhttp reads it, which is
Node's (`httptools`), and what is left of Python is a callback for each header. The handlers are Tornado's still: to them this is its
`HTTPConnection`.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from contextlib import suppress

import orjson
from httptools import HttpParserError, HttpParserInvalidMethodError, HttpParserUpgrade, HttpRequestParser
from tornado.httputil import HTTPConnection, responses
from tornado.iostream import StreamClosedError
from tornado.web import Finish

from errors import ParleyError, Refused
from web.request import Request
from web.statuses import STATUSES

log = logging.getLogger("parley.http")

READ_BYTES = 65536  # at a time
HEAD_BYTES = 65536  # of a request line with its headers
LINGER_BYTES = (
    16 * 1024 * 1024
)  # that a client may still send after its last answer, before it is cut off and may miss that answer
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(HTTPConnection):
    """One client's connection. `server` is told of each request (`begin`), and of the end (`forget`)."""

    # Of the request that is coming in, from `on_message_begin` on.
    _target: bytes
    _values: dict[str, str]  # headers by lower-case names
    _headed: bool  # whether its headers are complete
    _body: list[bytes]
    _size: int  # bytes of the body

    def __init__(self, server, accepted: socket.socket, address):
        accepted.setblocking(False)
        self.remote_ip = "0.0.0.0"  # of a unix socket, as in Tornado
        if accepted.family in (socket.AF_INET, socket.AF_INET6):
            self.remote_ip = address[0]
            # Nearly every answer is one write, and none waits for the acknowledgement of the last one.
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        # When it began to wait for its client, to send or to take. None while a handler works on a request.
        self.since: float | None = time.monotonic()
        self._server = server
        self._loop = asyncio.get_running_loop()
        self._socket = accepted
        self._open = True  # until the socket is closed, or another protocol's
        self._parser: HttpRequestParser | None = HttpRequestParser(self)  # None once no further request is read
        self._bytes = 0  # read of a request that is not complete
        self._most: int | None = None  # limit of `_bytes`, higher in a body than in a head; None between requests
        self._asked: list[Request | ParleyError] = []  # requests in turn, and the refusal of what followed them
        self._rest = b""  # what came after a request to speak another protocol
        self._request: Request | None = None  # that is being answered
        self._paused = False  # not reading, until the answer is out
        self._out = bytearray()  # what the kernel has not taken yet
        self._taken: asyncio.Future[None] | None = None  # done when the kernel has taken all of it
        self._ending = False  # the handler has said everything
        self._chunked = False
        self._left: int | None = (
            0  # bytes that the answer's Content-Length promises and the handler has not written; None without one
        )
        self._lingered = 0
        self._on_close: Callable[[], None] | None = None
        self._loop.add_reader(accepted.fileno(), self._readable)

    # Reading

    def _readable(self):
        if self._request is not None or self._asked or self._rest:  # those come first
            self._paused = True
            self._loop.remove_reader(self._socket.fileno())
            return
        try:
            # Of a head no more than it may have, so that it does not depend on the packets whether it is too large.
            data = self._socket.recv(HEAD_BYTES - self._bytes if self._most == HEAD_BYTES else READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self.close()
        elif self._parser is None:
            self._lingered += len(data)
            if self._lingered > LINGER_BYTES:
                self.close()
        else:
            self._understand(data)
            self._go_on()

    def _understand(self, data):
        """Put what these bytes ask for in turn."""
        assert self._parser is not None
        asked = len(self._asked)
        try:
            self._parser.feed_data(data)
            # What came together with the end of another request is not counted: where that was, is not known.
            self._bytes = self._bytes + len(data) if len(self._asked) == asked else 0
            if self._most is not None and self._bytes >= self._most:
                self._refuse(Refused("body_too_large") if self._headed else Refused("head_too_large"))
        except HttpParserUpgrade as upgrade:
            self._bytes, self._rest = (
                0,
                data[upgrade.args[0] :],
            )  # in the other protocol, or, where the handler speaks none, in this one
            if int(self._values.get("content-length", 0)) or "transfer-encoding" in self._values:
                self._understand_body(self._asked.pop())
        except HttpParserInvalidMethodError:
            self._refuse(Refused("method_unknown"))
        except HttpParserError as error:
            refusal = error.__context__
            self._refuse(refusal if isinstance(refusal, ParleyError) else Refused("invalid_http"))

    def _understand_body(self, request):
        """llhttp does not read the body of a request to speak another protocol. As one that is not, it is read anew."""
        if request.method == "CONNECT":
            self._refuse(Refused("invalid_http"))
            return
        lines = [f"{name}: {value}" for name, value in request.headers.items() if name not in ("upgrade", "expect")]
        head = "\r\n".join([f"{request.method} {request.uri} {request.version}", *lines, "", ""])
        rest, self._rest = self._rest, b""
        self._understand(head.encode("latin1") + rest)

    def _refuse(self, refusal):
        self._asked.append(refusal.with_traceback(None))  # its frames hold on to it, and to this object
        self._parser = self._most = None

    # What the parser calls

    def on_message_begin(self):
        self._target, self._values, self._headed = b"", {}, False
        self._body, self._size = [], 0
        self._most = HEAD_BYTES

    def on_url(self, part: bytes):
        self._target += part

    def on_header(self, name: bytes, value: bytes):
        if not self._headed:  # else a trailer, which must not pass for one of those that were checked
            key, text = name.decode("latin1").lower(), value.rstrip().decode("latin1")
            self._values[key] = f"{self._values[key]},{text}" if key in self._values else text

    def on_headers_complete(self):
        self._headed = True
        self._most = HEAD_BYTES + 2 * self._server.max_body_bytes  # chunks have heads, and may have trailers
        if int(self._values.get("content-length", 0)) > self._server.max_body_bytes:
            raise Refused("body_too_large")
        coding = self._values.get("transfer-encoding")
        if coding is not None and (
            coding.lower() != "chunked" or self._parser is None or self._parser.get_http_version() == "1.0"
        ):
            raise Refused("invalid_http", "A body comes as it is, or in chunks.", "Transfer-Encoding")
        if self._values.get("expect", "").lower() == "100-continue" and self._request is None and not self._asked:
            self._write(CONTINUE)

    def on_body(self, part: bytes):
        self._size += len(part)
        if self._size > self._server.max_body_bytes:
            raise Refused("body_too_large")
        self._body.append(part)

    def on_message_complete(self):
        parser, self._most = self._parser, None
        if parser is None:
            return  # the client did not take the 100 Continue, and the connection is closed
        self._asked.append(
            Request(
                self,
                parser.get_method().decode("latin1"),
                self._target.decode("latin1"),
                f"HTTP/{parser.get_http_version()}",
                self._values,
                b"".join(self._body),
                parser.should_keep_alive(),
            )
        )

    # Answering

    def _go_on(self):
        """Begin with the next request, unless one is being answered; then read on."""
        while self._request is None and self._open:
            if self._asked:
                asked = self._asked.pop(0)
                if isinstance(asked, ParleyError):
                    self._answer_last(asked)
                else:
                    self._begin(asked)
                    return  # even if it has been answered: others are to have their turn between two requests of one client
            elif self._rest and self._parser is not None:
                rest, self._rest = self._rest, b""
                self._understand(rest)
            else:
                if self._paused:
                    self._paused = False
                    self._loop.add_reader(self._socket.fileno(), self._readable)
                return

    def _begin(self, request):
        self._request, self.since = request, None
        self._left = -1  # until its head is out, an answer is not complete
        try:
            self._server.begin(request)
        except Exception:
            log.exception("%s could not be begun with", request.method)
            self.close()

    def _answer_last(self, refusal):
        body, status = orjson.dumps(refusal.body()), STATUSES[refusal.code]
        self._write(
            b"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s"
            % (status, responses[status].encode(), len(body), body)
        )
        if not self._out:
            self._say_no_more()

    def _say_no_more(self):
        # The connection is not closed before the client does: that would take an answer back where something is unread.
        if self._open:
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_WR)

    def set_close_callback(self, callback):
        self._on_close = callback

    def write_headers(self, start_line, headers, chunk=None):
        """Tornado's: the answer's head, and a first part of its body. The future is done when the kernel has taken everything."""
        request, length = self._request, headers.get("Content-Length")
        if request is None:
            return self._server.closed
        has_body = request.method != "HEAD" and start_line.code not in (204, 304) and start_line.code >= 200
        chunked = has_body and length is None and request.version != "HTTP/1.0"
        if headers.get("Connection") == "close" or has_body and length is None and not chunked:
            request.keep_alive = False
        lines = [
            f"HTTP/1.1 {start_line.code} {start_line.reason}",
            *[f"{name}: {value}" for name, value in headers.get_all()],
        ]
        if chunked:
            lines.append("Transfer-Encoding: chunked")
        if "Connection" not in headers:
            if not request.keep_alive:
                lines.append("Connection: close")
            elif request.version == "HTTP/1.0":
                lines.append("Connection: keep-alive")
        head = "\r\n".join(lines)
        if head.count("\n") != len(lines) - 1 or head.count("\r") != len(lines) - 1:
            raise ValueError("a header has more than one line")
        encoded = head.encode("latin1")  # before anything is noted of an answer that cannot be sent
        self._left = 0 if not has_body else None if length is None else int(length)
        self._chunked = chunked
        return self._write(b"%s\r\n\r\n%s" % (encoded, self._part(chunk)))

    def write(self, chunk):
        """Tornado's: a further part of the body. The future is as that of `write_headers`."""
        return self._write(self._part(chunk))

    def _part(self, chunk):
        if not chunk:
            return b""
        if self._left is not None:
            self._left -= len(chunk)
            if self._left < 0:
                self.close()  # the client would take the rest for another answer
                raise ValueError("the answer is longer than its Content-Length")
        return b"%x\r\n%s\r\n" % (len(chunk), chunk) if self._chunked else chunk

    def finish(self):
        """Tornado's: the answer is complete."""
        request = self._request
        if request is None:
            return  # the client is gone
        if self._left:
            self.close()  # the handler has failed in the middle of it, and the client is to know
            return
        if self._chunked:
            self._write(b"0\r\n\r\n")
        if self._out:
            self._ending = True
        elif self._open:
            self._end(request)

    def _end(self, request: Request):
        """The answer is with the kernel."""
        self._request, self._on_close, self._ending = None, None, False
        self.since = time.monotonic()
        if not request.keep_alive:
            self._parser = self._most = None
            self._asked, self._rest = [], b""
            self._say_no_more()
        if self._asked or self._rest or self._paused:
            self._loop.call_soon(self._go_on)

    def _write(self, data):
        if not self._open:
            return self._server.closed
        if not self._out:
            try:
                sent = self._socket.send(data)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError:
                self.close()
                return self._server.closed
            if sent == len(data):
                return self._server.done
            data = data[sent:]
            self.since = time.monotonic()
            self._taken = self._loop.create_future()
            self._loop.add_writer(self._socket.fileno(), self._writable)
        self._out += data
        return self._taken

    def _writable(self):
        try:
            sent = self._socket.send(self._out)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.close()
            return
        del self._out[:sent]
        self.since = time.monotonic()
        if not self._out:
            self._loop.remove_writer(self._socket.fileno())
            taken, self._taken = self._taken, None
            if taken is not None and not taken.done():
                taken.set_result(None)
            if self._request is not None:
                if self._ending:
                    self._end(self._request)
                else:
                    self.since = None
            elif self._parser is None:
                self._say_no_more()

    # Ending

    def detach(self) -> tuple[socket.socket, bytes, bytes]:
        """Hand the socket over to another protocol, with what was read for it and what is still to be written.

        Raises `Finish`, with which a handler ends and nobody is told, when the client is gone.
        """
        if not self._open:
            raise Finish()
        accepted, unread, unsent = self._socket, self._rest, bytes(self._out)
        self._let_go()
        return accepted, unread, unsent

    def close(self):
        """End the connection now."""
        if self._open:
            accepted, on_close = self._socket, self._on_close
            self._let_go()
            accepted.close()
            if on_close is not None:
                on_close()

    def _let_go(self):
        self._loop.remove_reader(self._socket.fileno())
        if self._out:
            self._loop.remove_writer(self._socket.fileno())
            self._out.clear()
        taken, self._taken = self._taken, None
        if taken is not None and not taken.done():
            taken.set_exception(StreamClosedError())
            taken.exception()  # whether or not anybody asks
        # The parser holds on to this object, and this object to a handler.
        self._open = False
        self._parser = self._request = self._on_close = None
        self._asked.clear()
        self._server.forget(self)
