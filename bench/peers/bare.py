"""`python -m bench.peers.bare`: Tornado and nothing else. A handler that reads JSON and answers JSON, and a WebSocket that says hello.

`LISTEN` is a port.
"""

import asyncio
import json
import os

from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler


class Messages(RequestHandler):
    def post(self, chat_id):
        content = json.loads(self.request.body)["content"]
        self.set_status(201)
        self.write(
            {
                "id": chat_id,
                "content": content,
                "senderId": chat_id,
                "chatId": chat_id,
                "createdAt": "2026-01-01T00:00:00.000Z",
                "isEdited": False,
                "editedAt": None,
            }
        )


class Socket(WebSocketHandler):
    def open(self):
        self.write_message("ready")


async def main():
    Application([("/api/chats/([^/]+)/messages", Messages), ("/ws", Socket)], log_function=lambda handler: None).listen(
        int(os.environ["LISTEN"]), "127.0.0.1", backlog=4096
    )
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
