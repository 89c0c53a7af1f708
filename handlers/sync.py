"""The stream's frames over HTTP, for networks that let no WebSocket through."""

from chat.payloads import page
from errors import Refused
from realtime.protocol.client_frames import HELLO_BYTES, BadFrame
from web.api_handler import ApiHandler
from web.openapi.operation import operation


class Sync(ApiHandler):
    noun = "Stream"
    max_body_bytes = HELLO_BYTES

    @operation("sync", "What was missed since these cursors", body="SyncRequest", answers={200: "FrameList"})
    async def post(self):
        """The frames that the socket would send from `welcome` to `synced`. Where the last is another, ask again."""
        hello = {**self.body, "epoch": self.body.get("epoch") and self.body["epoch"].lower()}
        try:
            items = await self.services.node.sync(self.user_id, hello)
        except BadFrame as bad:
            raise Refused("invalid_value", str(bad), bad.field) from None
        self.answer_json(page(items, None))
