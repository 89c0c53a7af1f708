"""`/api/sync`: what a socket would be sent from `welcome` to `synced`, as one answer, where WebSockets do not get through."""

from chat import event_log, memberships, reads
from realtime.protocol import frames, resume
from realtime.protocol.position import void

SYNC_EVENTS = 1000  # in one answer


async def sync(realtime, user_id: str, fields: dict) -> list[dict]:
    """The frames; without `synced` where there are more. `realtime` is the instance (`delivery.Delivery`).

    Raises `frames.BadFrame`, `Unavailable`.
    """
    hello = frames.hello(dict(fields))
    membership = await memberships.membership(realtime.db, user_id)
    plan = resume.plan(user_id, realtime.instance, membership, hello, realtime.limits.replay_limit)
    answer, positions, count = plan.first, plan.positions, 0
    lagging = {chat_id: at for chat_id, at in positions.items() if at < membership.chats[chat_id].head}
    while lagging:
        if count >= SYNC_EVENTS:
            return answer
        async with realtime.catch_ups:
            missing = {chat_id: membership.chats[chat_id].head - at for chat_id, at in lagging.items()}
            chosen = resume.some(missing, realtime.limits.replay_page, SYNC_EVENTS)
            logs = await event_log.replay(
                realtime.db, {chat_id: lagging[chat_id] for chat_id in chosen}, [user_id], realtime.limits.replay_page
            )
        for chat_id in chosen:
            page = logs.get(chat_id)
            if page is None or user_id not in page.members:
                answer.append(frames.left(chat_id))
                del positions[chat_id], lagging[chat_id]
                continue
            if reason := void(lagging[chat_id], page.head, page.floor, realtime.limits.replay_limit):
                answer.append(frames.reset(chat_id, page.head, reason.value))
                positions[chat_id] = page.head
                del lagging[chat_id]
                continue
            for event in page.events:
                answer.append(frames.of_event(event))
                positions[chat_id] = lagging[chat_id] = event.seq
                count += 1
            if not page.events or positions[chat_id] >= page.head:
                del lagging[chat_id]
    states = []
    if "unreadCountUpdated" in hello.channels:
        states += resume.counts(user_id, membership, plan.missed)
    if "messageReadUpdated" in hello.channels and hello.since is not None:
        states += await reads.since(realtime.db, positions, hello.since, user_id)
    answer += [frames.of_event(event) for event in states if event.chat_id in positions]
    return [*answer, frames.synced(positions, membership.at)]
