"""`/ws`: a WebSocket to a `realtime` session. Translation only: who is it, may they, which bytes arrived, and when it ended."""

import logging

from tornado.websocket import WebSocketHandler

from errors import Refused
from realtime.protocol.client_frames import HELLO_BYTES
from realtime.protocol.close_codes import Close
from realtime.transport.socket_writer import SocketWriter
from web.base_handler import Base
from web.websocket import INTERNAL_ERROR, Protocol

log = logging.getLogger("parley.websocket")

SUBPROTOCOL = "parley.v1"


class StreamHandler(Base, WebSocketHandler):
    """Opens a stream for the request's session, which the route's `GET /ws` has in a cookie or a bearer token."""

    max_message_size = HELLO_BYTES  # of the first frame

    async def prepare(self):
        if self.request.headers.get("Upgrade", "").lower() != "websocket":
            raise Refused("invalid_value", "This address takes WebSockets only; see docs/protocol.md.", "Upgrade")
        self.refuse_other_sites()
        await self.find_session()

    def check_origin(self, origin: str) -> bool:
        # `prepare` has compared scheme, host and port, also behind a proxy; Tornado compares the host alone.
        return True

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        return SUBPROTOCOL if SUBPROTOCOL in subprotocols else None

    def get_websocket_protocol(self) -> Protocol | None:
        protocol = super().get_websocket_protocol()
        return protocol and Protocol(self, protocol.params, self.settings["pings"])

    def open(self):
        protocol, stream = self.ws_connection, None
        if self.session is None:
            # Accepted first: browsers cannot see why a handshake fails.
            self.close(Close.SIGNED_OUT, "not signed in")
        else:
            protocol.writer = SocketWriter(protocol.stream, self.services.node.write_queue)
            stream = self.connect(protocol.writer, protocol.close)
        protocol.handler = Listener(protocol, stream, self.services.settings.max_frame_bytes)
        # What only the handshake needs goes with it, at once and not with the next full garbage collection.
        self.ws_connection = self.ui = None

    def connect(self, writer: SocketWriter, close):
        """What the socket is to the realtime side: it hears `receive(message)` and, when the socket has ended, `gone()`."""
        return self.services.node.connect(self.session.id, self.session.user_id, writer, close)


class Listener:
    """What an open socket's protocol tells is told to its stream, if it has one. It takes the place of the handler."""

    __slots__ = ("_protocol", "_stream", "_max_frame_bytes")

    def __init__(self, protocol: Protocol, stream, max_frame_bytes: int):
        self._protocol = protocol
        self._stream = stream
        self._max_frame_bytes = max_frame_bytes  # of those after hello

    def on_message(self, message: str | bytes):
        if self._stream is not None and not self._protocol.server_terminated:  # what comes after our close is nobody's
            self._protocol.params.max_message_size = self._max_frame_bytes
            self._stream.receive(message)

    def on_ping(self, data: bytes):
        pass

    def on_pong(self, data: bytes):
        pass

    def on_ws_connection_close(self, code: int | None = None, reason: str | None = None):
        if self._stream is not None:
            self._stream.gone()
        if self._protocol.writer is not None:
            self._protocol.writer.gone()  # after it has left every broadcast

    def log_exception(self, kind, value, traceback):
        log.error("a frame could not be handled", exc_info=(kind, value, traceback))
        self._protocol.fail(INTERNAL_ERROR)
