"""The envelope: an event as it goes over Redis."""

from collections.abc import Callable

import orjson

from chat.channels import CHANNELS
from chat.events import Event

VERSION = 1


def encode(event: Event, epoch: str, instance: str) -> bytes:
    """The event as it goes over Redis: the documented object under the channel's own key, our data under `_`."""
    return orjson.dumps(
        {
            event.channel: event.data,
            "_": {
                "v": VERSION,
                "chatId": event.chat_id,
                "seq": event.seq,
                "epoch": epoch,
                "from": instance,
                **event.meta,
            },
        }
    )


def decode(channel: str, payload: bytes) -> tuple[Event, str, str]:
    """The event in an envelope, its epoch and its publisher.

    Raises `ValueError` where another program has published something that is not an envelope.
    """
    try:
        body = orjson.loads(payload)
        meta = body["_"]
        if meta.pop("v") != VERSION:
            raise ValueError("unknown version")
        epoch, instance = meta.pop("epoch"), meta.pop("from")
        event = Event(channel, meta.pop("chatId"), meta.pop("seq"), body[channel], meta)
        if (type(event.chat_id), type(event.seq), type(event.data), type(epoch), type(instance)) != (
            str,
            int,
            dict,
            str,
            str,
        ):
            raise ValueError("wrong types")
        return event, epoch, instance
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not an envelope: {error}") from None


# Parts of an envelope, byte for byte as `encode` writes them. No message text can contain them, because JSON escapes its quotes.
_BEGINNINGS = {name: b'{"%b":{' % name.encode() for name in CHANNELS}
_META, _SEQ = b'},"_":{"v":%d,"chatId":"' % VERSION, b'","seq":'
_SEQ_AT = 36 + len(_SEQ)  # in the bytes after _META, which begin with a UUID

# Answers (chat id, digits of the seq, the envelope's end) of an envelope, or None.
Glance = Callable[[str, bytes], tuple[str, bytes, bytes] | None]


def glances(epoch: str) -> Glance:
    """A function that reads chat and seq from an envelope of this epoch without parsing it.

    It takes channel and payload. The envelope's end, from the chat id on, is the same for a projection as for its message. The answer is
    None where a part is not in its place; the payload may be an envelope all the same. The event's object is not read: the function only
    finds what can be skipped, and `decode` judges the rest.
    """
    after_seq = b',"epoch":"%b","from":"' % epoch.encode()
    last = _SEQ_AT + 20 + len(after_seq)

    def glance(channel: str, payload: bytes) -> tuple[str, bytes, bytes] | None:
        _, _, meta = payload.rpartition(_META)
        if (
            (end := meta.find(after_seq, _SEQ_AT, last)) > 0
            and meta.startswith(_SEQ, 36)
            and (meta.endswith(b"}}") and payload.startswith(_BEGINNINGS[channel]))
        ):
            seq = meta[_SEQ_AT:end]
            if seq.isdigit():
                return meta[:36].decode("latin-1"), seq, meta
        return None

    return glance
