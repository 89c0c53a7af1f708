"""What a client of each server says to be let in, and how it tells an event from anything else that it hears.

`event` is a place and a byte that stands there in an event's text and in no other frame that comes once the socket is ready.
"""

import json


class Dialect:
    """Nothing to say but which chat, where `word` is one, and every text is an event."""

    event = (0, ord("{"))

    def path(self, path: str, word) -> str:
        return f"{path}?chat={word}" if word else path

    def headers(self, word) -> list[str]:
        return []

    def greeting(self, word) -> list[bytes]:
        """What to send once the WebSocket is open."""
        return []

    def hear(self, word, payload: bytes) -> tuple[list[bytes], bool]:
        """What to answer to a frame that is no event, and whether the socket is now ready."""
        return [], payload.startswith(b"ready")


class Parley(Dialect):
    """`word` is a token, or a token and what else `hello` says."""

    event = (9, ord("e"))  # {"type":"event"

    def path(self, path, word):
        return path

    def headers(self, word):
        return [
            "Sec-WebSocket-Protocol: parley.v1",
            f"Authorization: Bearer {word if isinstance(word, str) else word[0]}",
        ]

    def greeting(self, word):
        more = {"channels": []} if isinstance(word, str) else word[1]
        return [json.dumps({"type": "hello", "cursors": {}, **more}).encode()]

    def hear(self, word, payload):
        return [], payload.startswith(b'{"type":"synced"')


class SocketIo(Dialect):
    """Engine.IO 4: `0` open, `2` ping; in it Socket.IO 5: `40` connected, `42` an event. `word` is the chat's id."""

    event = (1, ord("2"))

    def path(self, path, word):
        return f"{path}?EIO=4&transport=websocket"

    def hear(self, word, payload):
        if payload.startswith(b"0"):
            return [b"40" + json.dumps({"chat": word}).encode()], False
        if payload == b"2":
            return [b"3"], False
        return [], payload.startswith(b"40")


class GraphqlWs(Dialect):
    """The subprotocol graphql-transport-ws. `word` is the chat's id. The subscription has no answer of its own; a ping's has."""

    event = (19, ord("e"))  # {"id":"1","type":"next"

    def path(self, path, word):
        return "/graphql"

    def headers(self, word):
        return ["Sec-WebSocket-Protocol: graphql-transport-ws"]

    def greeting(self, word):
        return [b'{"type":"connection_init","payload":{}}']

    def hear(self, word, payload):
        kind = json.loads(payload)["type"]
        if kind == "connection_ack":
            query = "subscription($chat: ID!) { messageAdded(chatId: $chat) { id content senderId chatId createdAt isEdited editedAt } }"
            subscribe = {"id": "1", "type": "subscribe", "payload": {"query": query, "variables": {"chat": word}}}
            return [json.dumps(subscribe).encode(), b'{"type":"ping"}'], False
        return ([b'{"type":"pong"}'] if kind == "ping" else []), kind == "pong"


plain, parley, socketio, graphql = Dialect(), Parley(), SocketIo(), GraphqlWs()
raw = Dialect()  # no handshake, no frames: bare bytes
