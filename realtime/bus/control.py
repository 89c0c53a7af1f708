"""The control channel: short messages from one instance to all, itself included."""

from collections.abc import Callable, Mapping

from realtime.bus import ephemeral
from realtime.bus.channel_names import CONTROL


class Control:
    """`publish` hands (channel, payload) pairs to Redis. `receivers` take the messages, by their `kind`.

    A kind without a receiver is ignored: another release may know it.
    """

    def __init__(
        self,
        publish: Callable[[list[tuple[str, bytes]]], bool],
        receivers: Mapping[str, Callable[[dict], object]],
    ):
        self._publish = publish
        self._receivers = receivers

    def publish(self, message: dict) -> bool:
        """Hand a message with its `kind` to Redis; False, and nothing is kept, where Redis does not take it."""
        return self._publish([(CONTROL, ephemeral.encode(message))])

    def receive(self, payload: bytes):
        """Take a message of the channel."""
        message = ephemeral.decode(payload)
        kind = message.get("kind")
        if isinstance(kind, str) and kind in self._receivers:
            self._receivers[kind](message)
