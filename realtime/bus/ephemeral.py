"""The messages of the ephemeral channels `parley:control`, `parley:typing` and `parley:presence`: small JSON objects, kept nowhere."""

import orjson


def encode(message: dict) -> bytes:
    return orjson.dumps(message)


def decode(payload: bytes) -> dict:
    """The object; an empty one where another program has published something else."""
    try:
        message = orjson.loads(payload)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}
