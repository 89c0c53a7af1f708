"""Replay: what one reader has missed, read from the log page by page. Sockets and `/api/sync` share it."""

from chat import event_log
from realtime.protocol import resume
from realtime.protocol.resume import Continuation
from realtime.stream.instance import Instance


async def continuations(
    node: Instance, user_id: str, missing: dict[str, int], positions: dict[str, int], most: int
) -> list[Continuation]:
    """How some of the reader's chats continue after their positions.

    `missing` says how many events each chat lacks. As many chats are chosen as it takes to read about `most` events.
    One statement reads them, so they are one snapshot: what it says of membership holds for every event in it. Raises `Unavailable`.
    """
    limits = node.limits
    chosen = resume.some(missing, limits.replay_page, most)
    asked = {chat_id: positions[chat_id] for chat_id in chosen}
    logs = await event_log.replay(node.db, asked, [user_id], limits.replay_page)
    return [
        resume.continuation(chat_id, position, logs.get(chat_id), user_id, limits.replay_limit)
        for chat_id, position in asked.items()
    ]
