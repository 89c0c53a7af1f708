"""`/ws`: a WebSocket to a `realtime` client. Translation only: who is it, may they, and who hears what they say."""

from websockets.typing import Subprotocol

from errors import Refused
from realtime.protocol.client_frames import HELLO_BYTES
from realtime.protocol.close_codes import Close
from realtime.transport.socket_writer import SocketWriter
from web.base_handler import Base
from web.websocket import WebSocket, handshake, upgrade

SUBPROTOCOL = Subprotocol("parley.v1")


class StreamHandler(Base):
    """Opens a stream for the request's session, which the route's `GET /ws` has in a cookie or a bearer token."""

    first_message_bytes = HELLO_BYTES

    async def prepare(self):
        if self.request.headers.get("Upgrade", "").lower() != "websocket":
            raise Refused("invalid_value", "This address takes WebSockets only; see docs/protocol.md.", "Upgrade")
        self.refuse_other_sites()
        self.accepting = handshake(self.request, [SUBPROTOCOL])
        await self.find_session()

    def get(self):
        accepted, unread, unsent = upgrade(self, self.accepting)
        later_bytes = self.services.settings.max_frame_bytes
        queue, heartbeat = self.services.node.write_queue, self.settings["heartbeat"]
        socket = WebSocket(accepted, queue, heartbeat, self.first_message_bytes, later_bytes, unsent)
        listener = None
        if self.session is None:
            # Accepted first: browsers cannot see why a handshake fails.
            socket.close(Close.SIGNED_OUT, "not signed in")
        else:
            try:
                listener = self.connect(socket.writer, socket.close)
            except Exception:
                socket.drop()
                raise
        socket.listen(listener, unread)

    def write_error(self, status_code: int, **details):
        self.set_header("Sec-WebSocket-Version", "13")
        super().write_error(status_code, **details)

    def connect(self, writer: SocketWriter, close):
        """What the socket is to the realtime side: it hears `receive(message)` and, when the socket has ended, `gone()`."""
        return self.services.node.connect(self.session.id, self.session.user_id, writer, close)
