"""A client comes back: what it must be told of each of its chats, given where it stands and what it brings. Pure."""

from dataclasses import dataclass

from chat.events import Event
from chat.memberships import Membership, Standing
from chat.unread import count_event
from realtime.protocol import frames
from realtime.protocol.frames import Hello
from realtime.protocol.position import void


@dataclass(slots=True)
class Plan:
    """`first`: the frames before any replay. `positions`: where each chat continues; those below its head are replayed."""

    first: list[dict]
    positions: dict[str, int]
    resets: list[str]  # their reasons
    missed: set[
        str
    ]  # chats that the client did not have at their heads: their unread counts are told even where they are zero


def plan(user_id: str, instance: str, membership: Membership, hello: Hello, limit: int) -> Plan:
    """What `hello` is answered with, before the replay."""
    same_epoch = hello.epoch == membership.epoch
    heads = {chat_id: standing.head for chat_id, standing in membership.chats.items()}
    result = Plan([frames.welcome(user_id, membership.epoch, instance, heads)], {}, [], set())
    for chat_id in hello.cursors:
        if chat_id not in heads:
            result.first.append(frames.left(chat_id))
    for chat_id, standing in membership.chats.items():
        cursor = hello.cursors.get(chat_id)
        position = standing.head
        if cursor is not None:
            reason = void(cursor, standing.head, standing.floor, limit, same_epoch)
            if reason is None:
                position = cursor
            else:
                result.resets.append(reason.value)
                result.first.append(frames.reset(chat_id, standing.head, reason.value))
            if reason is not None or position < standing.head:
                result.missed.add(chat_id)
        result.positions[chat_id] = position
    return result


def some(missing: dict[str, int], page: int, most: int) -> list[str]:
    """Which of the chats to replay next, of each of which so many events are missing: about `most` events come, at least one page.

    A socket takes a few hundred at a time. Reading a page of every chat for it would read most of them again and again.
    """
    chosen, events = [], 0
    for chat_id, number in missing.items():
        if events >= most:
            break
        chosen.append(chat_id)
        events += min(number, page)
    return chosen


def counts(user_id: str, membership: Membership, missed) -> list[Event]:
    """The unread counts that a client which comes back is told: those above zero, and those that may have changed."""
    return [
        count(user_id, chat_id, standing)
        for chat_id, standing in membership.chats.items()
        if standing.unread or chat_id in missed
    ]


def count(user_id: str, chat_id: str, standing: Standing) -> Event:
    return count_event(chat_id, user_id, standing.unread, standing.head, standing.read_seq)
