"""Who is typing, sent to the other clients that follow the chat, here and on the other instances. Nothing is kept, and nothing repaired."""

from collections.abc import Callable

from realtime.bus import ephemeral
from realtime.bus.channel_names import TYPING, ChannelNames
from realtime.protocol import frames
from realtime.stream.hub import Hub


class TypingNotifier:
    """Typing on one instance. `publish` hands (channel, payload) pairs to Redis.

    `boot` names this process, so that it recognises the echo of its own messages.
    """

    def __init__(
        self, hub: Hub, boot: str, channel_names: ChannelNames, publish: Callable[[list[tuple[str, bytes]]], object]
    ):
        self._hub = hub
        self._boot = boot
        self._channel_names = channel_names
        self._publish = publish

    def notify(self, chat_id: str, user_id: str):
        """A user is typing on this instance."""
        self._send(chat_id, user_id)
        payload = ephemeral.encode({"chatId": chat_id, "userId": user_id, "from": self._boot})
        self._publish([(self._channel_names.of(TYPING, chat_id), payload)])

    def receive(self, payload: bytes):
        """Take a message of `parley:typing`."""
        message = ephemeral.decode(payload)
        chat_id, user_id = message.get("chatId"), message.get("userId")
        if message.get("from") != self._boot and isinstance(chat_id, str) and isinstance(user_id, str):
            self._send(chat_id, user_id)

    def _send(self, chat_id: str, user_id: str):
        stream = self._hub.streams.get(chat_id)
        if stream is not None:
            frame = frames.encode(frames.typing(chat_id, user_id))
            for client in stream.members():
                if client.user_id != user_id:
                    client.try_send(frame)
