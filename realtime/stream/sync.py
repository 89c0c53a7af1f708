"""`/api/sync`: everything that a socket would get from `welcome` to `synced`, as one answer, for networks that let no WebSocket through."""

from chat import memberships
from chat.channels import STATES
from chat.states import Asked
from realtime.protocol import client_frames, frames, resume
from realtime.stream import replay
from realtime.stream.instance import Instance

SYNC_EVENTS = 1000  # in one answer


async def sync(node: Instance, user_id: str, fields: dict) -> list[dict]:
    """The frames; `synced` is missing where there are more to fetch.

    Raises `client_frames.BadFrame`, `Unavailable`.
    """
    hello = client_frames.hello(dict(fields))
    membership = await memberships.membership(node.db, user_id)
    plan = resume.plan(user_id, node.instance, membership, hello, node.limits.replay_limit)
    answer, positions, count = plan.first, plan.positions, 0
    heads = {chat_id: standing.head for chat_id, standing in membership.chats.items()}
    while missing := {chat_id: heads[chat_id] - at for chat_id, at in positions.items() if at < heads[chat_id]}:
        if count >= SYNC_EVENTS:
            return answer
        async with node.catch_ups:
            parts = await replay.continuations(node, user_id, missing, positions, SYNC_EVENTS)
        for part in parts:
            answer += part.frames()
            count += len(part.events)
            if part.left:
                del positions[part.chat_id]
            else:
                # A page without events ends at the head of its own snapshot.
                positions[part.chat_id] = part.events[-1].seq if part.events else max(part.head, heads[part.chat_id])
    asked = Asked(user_id, membership, plan.missed, hello.since, tuple(positions))
    for channel, state in STATES.items():
        if channel in hello.channels:
            events = await state.afresh(node.db, asked)
            answer += [frames.of_event(event) for event in events if event.chat_id in positions]
    return [*answer, frames.synced(positions, membership.at)]
