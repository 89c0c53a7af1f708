"""WebSockets (RFC 6455), as thousands of them need it that nearly always wait.

`websockets` judges the handshake and reads the frames; its parser for one frame is made when bytes come, and gone when the frame is whole. So an
idle socket is this object, its way out (`SocketWriter`), and the event loop's entry for its file descriptor: no task, no buffer, no handler.
"""

import asyncio
import logging
import socket
from collections.abc import Generator, Sequence
from typing import Any

from websockets.datastructures import Headers
from websockets.exceptions import InvalidHandshake, PayloadTooBig, ProtocolError
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from errors import Refused
from realtime.transport.socket_writer import SocketWriter
from realtime.transport.write_queue import WriteQueue
from web.heartbeat import Heartbeat

log = logging.getLogger("parley.websocket")

IDLE_READ_BYTES = 4096  # at a time while a frame is not expected to be long: nearly all that come are empty pongs
READ_BYTES = 65536
CONTROL_BYTES = 125  # most in a control frame, which may come between the fragments of a message
PING = Frame(Opcode.PING, b"").serialize(mask=False)
PONG, PONG_BYTES = b"\x8a\x80", 6  # how the answer to it begins, and how long it is
CLOSE_SECONDS = 5.0  # for the client to answer our close frame, take what is unsent, and close
NOTHING: Any = b""

OPEN, CLOSING, OVER = range(
    3
)  # `CLOSING`: our close frame has been sent. `OVER`: and nothing that comes means anything


def handshake(request, subprotocols: Sequence[Subprotocol]) -> list[tuple[str, str]]:
    """The headers that accept a request for a WebSocket.

    A client that offers none of the subprotocols gets none. Raises `Refused`: invalid_value, where it is no such request.
    """
    if request.version != "HTTP/1.1":
        raise Refused("invalid_value", "A WebSocket begins with HTTP/1.1.")
    headers = Headers()
    for name, value in request.headers.items():
        headers[name] = value
    protocol = ServerProtocol(subprotocols=subprotocols, select_subprotocol=_select)
    try:
        key, _, subprotocol = protocol.process_request(Request(request.uri, headers))
    except InvalidHandshake as error:
        raise Refused("invalid_value", f"{error}.", getattr(error, "name", None)) from None
    answer = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", key)]
    return [*answer, ("Sec-WebSocket-Protocol", subprotocol)] if subprotocol else answer


def upgrade(handler, headers: list[tuple[str, str]]) -> tuple[socket.socket, bytes, bytes]:
    """Answer a handshake with these headers, and take the connection over: see `http_connection.Connection.detach`."""
    handler.set_status(101)
    for name, value in headers:
        handler.set_header(name, value)
    handler.finish()
    return handler.detach()


def _select(protocol, offered):
    return next((name for name in protocol.available_subprotocols if name in offered), None)


class WebSocket:
    """One socket, from the handshake on. `writer` is its way out.

    `listener` hears `receive(message)` for each message, of text or bytes, and `gone()` once when nothing more comes. The first message
    may have `first_bytes`, those that follow `later_bytes`.
    """

    __slots__ = (
        "writer",
        "answered",
        "beat",
        "_socket",
        "_heartbeat",
        "_listener",
        "_most",
        "_later_bytes",
        "_state",
        "_unread",
        "_frame",
        "_fragments",
        "_timer",
    )

    def __init__(
        self,
        accepted: socket.socket,
        queue: WriteQueue,
        heartbeat: Heartbeat,
        first_bytes: int,
        later_bytes: int,
        unsent: bytes = NOTHING,
    ):
        """`accepted` does not block. `unsent`: what is still to be written of the handshake."""
        self.writer = SocketWriter(accepted, queue, self.drop)
        self.answered = True  # see Heartbeat
        self.beat: set | None = None
        self._socket: socket.socket | None = accepted
        self._heartbeat = heartbeat
        self._listener: Any = None
        self._most, self._later_bytes = first_bytes, later_bytes
        self._state = OPEN
        self._unread: bytearray = NOTHING  # of a frame that is not whole
        self._frame: Generator[None, None, Frame] | None = None  # the parser of that frame
        self._fragments: tuple[Opcode, bytearray] | None = None  # of a message that is not complete
        self._timer: asyncio.TimerHandle | None = None  # while it closes
        if unsent:
            self.writer.write(unsent)
        heartbeat.add(self)

    def listen(self, listener, unread=NOTHING):
        """Begin to read. `listener` may be None; `unread` is what came with the handshake."""
        self._listener = listener
        if self._state is OVER or self._socket is None:  # it could not be written to, or was closed meanwhile
            self._leave()
            return
        if unread:
            self._read(unread)
        if self._socket is not None:
            asyncio.get_running_loop().add_reader(self._socket.fileno(), self._readable)

    # In

    def _readable(self):
        assert self._socket is not None
        try:
            data = self._socket.recv(READ_BYTES if self._unread else IDLE_READ_BYTES)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = NOTHING
        if not data:
            self.drop()
        elif len(data) == PONG_BYTES and self._frame is None and data.startswith(PONG):
            self.answered = True  # all that an idle socket brings: it needs no parser
        elif self._state is not OVER:
            self._read(data)

    def _read(self, data):
        self._unread = self._unread + data if self._unread else bytearray(data)
        try:
            while self._state is not OVER and (self._unread or self._frame is not None):
                if self._frame is None:
                    self._frame = Frame.parse(self._exactly, mask=True, max_size=self._room())
                try:
                    next(self._frame)
                    return  # more of it is to come
                except StopIteration as whole:
                    self._frame = None
                    self._take(whole.value)
        except ProtocolError:
            self._fail(CloseCode.PROTOCOL_ERROR)
        except PayloadTooBig:
            self._fail(CloseCode.MESSAGE_TOO_BIG)
        except UnicodeDecodeError:
            self._fail(CloseCode.INVALID_DATA)
        except Exception:
            log.exception("a frame could not be handled")
            self._fail(CloseCode.INTERNAL_ERROR)
        self._unread = NOTHING

    def _exactly(self, count: int) -> Generator[None, None, bytearray]:
        """So many bytes of what is unread, when they have come: what the parser of a frame reads with."""
        while len(self._unread) < count:
            yield
        data = self._unread[:count]
        del self._unread[:count]
        return data

    def _room(self):
        return max(self._most - (len(self._fragments[1]) if self._fragments else 0), CONTROL_BYTES)

    def _take(self, frame):
        if frame.opcode is Opcode.CLOSE:
            Close.parse(frame.data)  # raises where its code or reason may not be sent
            if self._state is OPEN:
                self._say_close(frame.data)
            self._discard()
        elif self._state is not OPEN:
            pass  # it has crossed our close frame
        elif frame.opcode is Opcode.PING:
            self.writer.write(Frame(Opcode.PONG, frame.data).serialize(mask=False))
        elif frame.opcode is Opcode.PONG:
            self.answered = True
        else:
            self._take_data(frame)

    def _take_data(self, frame):
        if (frame.opcode is Opcode.CONT) is not (self._fragments is not None):
            raise ProtocolError("a fragment of nothing, or a message within another")
        opcode, data = frame.opcode, frame.data
        if self._fragments is not None:
            opcode, so_far = self._fragments
            so_far += data
            data = so_far
        if len(data) > self._most:
            raise PayloadTooBig(len(data), self._most)
        if not frame.fin:
            self._fragments = opcode, bytearray(data) if data is frame.data else data
            return
        self._fragments = None
        message = data.decode() if opcode is Opcode.TEXT else bytes(data)
        self._most = self._later_bytes
        if self._listener is not None:
            self._listener.receive(message)

    # Out

    def ping(self):
        """Ask whether the client is there."""
        self.writer.write(PING)

    def close(self, code: int, reason: str = ""):
        """Send a close frame, after what has been said. The client has some seconds to answer it."""
        if self._state is OPEN and self._socket is not None:
            self._say_close(Close(code, reason).serialize())

    def _say_close(self, payload):
        self._state = CLOSING
        self._heartbeat.discard(self)
        self.writer.finish(Frame(Opcode.CLOSE, payload).serialize(mask=False))
        self._timer = asyncio.get_running_loop().call_later(CLOSE_SECONDS, self.drop)

    # Ending

    def _fail(self, code):
        """Close because of what the client has sent, unless a close frame with another reason has just been sent."""
        if self._state is OPEN:
            self._say_close(Close(code, "").serialize())
        self._discard()

    def _discard(self):
        """Nothing more is said, and what comes is thrown away until the client closes.

        A socket that is closed with bytes unread is reset, and the close frame would be lost.
        """
        self._state = OVER
        self._frame = self._fragments = None
        self._unread = NOTHING
        self.writer.shut()
        self._leave()

    def drop(self):
        """End the connection now: the client is gone, or is not waited for any longer."""
        if self._socket is None:
            return
        accepted, self._socket = self._socket, None
        self._state, self._frame, self._fragments = OVER, None, None
        self._heartbeat.discard(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        asyncio.get_running_loop().remove_reader(accepted.fileno())
        self._leave()
        self.writer.close()
        accepted.close()

    def _leave(self):
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.gone()
