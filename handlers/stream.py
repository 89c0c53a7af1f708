"""`/ws`: a WebSocket to a `realtime` session. Translation only: who is it, may they, which bytes arrived, and when it ended."""

from tornado.websocket import WebSocketHandler

from chat.errors import Refused
from handlers.base import Base
from realtime.frames import HELLO_BYTES, Close
from realtime.wire import Wire

SUBPROTOCOL = "parley.v1"


class StreamHandler(Base, WebSocketHandler):
    """Opens a stream for the request's session, which the route's `GET /ws` has in a cookie or a bearer token."""

    stream = None
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

    def open(self):
        if self.session is None:
            # Accepted first: browsers cannot see why a handshake fails.
            self.close(Close.SIGNED_OUT, "not signed in")
            return
        self.set_nodelay(True)
        self.stream = self.connect(Wire(self.ws_connection.stream))

    def connect(self, wire: Wire):
        """What the socket is to the realtime side; `gone()` is called when it has ended."""
        return self.services.delivery.connect(self.session.id, self.session.user_id, wire, self.close)

    def on_message(self, message: str | bytes):
        if self.stream is not None and self.ws_connection is not None:  # what comes after our close is nobody's
            self.ws_connection.params.max_message_size = self.services.settings.max_frame_bytes  # of those after hello
            self.stream.receive(message)

    def on_close(self):
        if self.stream is not None:
            self.stream.gone()
            self.stream = None
