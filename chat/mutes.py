"""Muting: a participant's own wish to hear nothing of a chat. Counts and messages come as ever; the browser keeps quiet."""


async def put(db, actor: str, chat_id: str, muted: bool):
    """Mute a chat for the actor, or hear it again; doing so twice changes nothing. Raises `Refused`: not_found."""
    await db.row("select set_muted(%s, %s, %s)", actor, chat_id, muted)
