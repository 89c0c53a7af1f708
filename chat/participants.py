"""Who is in which chat, for those who ask about many chats at once."""

from store.database import array


async def of(db, chat_ids, most: int) -> dict[str, list[str]]:
    """The participants of each of these chats that has at most `most`; one statement."""
    rows = await db.rows(
        "select id, participant_ids(id) as participant_ids from chats where id = any(%s::uuid[]) and participant_count <= %s",
        array(chat_ids),
        most,
    )
    return {row.id: row.participant_ids for row in rows}
