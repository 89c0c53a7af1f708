"""Replay: what one reader has missed, read from the log page by page. One machine for sockets and for `/api/sync`."""

from chat import event_log
from realtime.protocol import resume
from realtime.protocol.resume import Continuation


async def continuations(
    realtime, user_id: str, missing: dict[str, int], positions: dict[str, int], most: int
) -> list[Continuation]:
    """How some of the reader's chats go on from their positions.

    `missing` says of how many chats how many events are missing. Of these chats come so many that about `most` events are read.
    One statement, so one snapshot: what it says of membership holds for every event in it. `realtime` is the instance (a `Node`).
    Raises `Unavailable`.
    """
    limits = realtime.limits
    chosen = resume.some(missing, limits.replay_page, most)
    asked = {chat_id: positions[chat_id] for chat_id in chosen}
    logs = await event_log.replay(realtime.db, asked, [user_id], limits.replay_page)
    return [
        resume.continuation(chat_id, position, logs.get(chat_id), user_id, limits.replay_limit)
        for chat_id, position in asked.items()
    ]
