"""A client comes back: what it must be told of each of its chats, given where it stands and what it brings. Pure."""

from dataclasses import dataclass

from chat.event_log import Log
from chat.events import Event
from chat.memberships import Membership
from realtime.protocol import frames
from realtime.protocol.client_frames import Hello
from realtime.protocol.position import Reset, void


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


@dataclass(slots=True)
class Continuation:
    """How one chat goes on for a reader at `position`, by one snapshot of the log in which the chat's newest event was `head`."""

    chat_id: str
    position: int
    head: int
    left: bool  # the reader is not in the chat
    reset: Reset | None  # why the position is void: the chat goes on after `head`
    events: list[Event]  # the next ones after the position, in order

    def frames(self) -> list[dict]:
        """What the reader is told."""
        if self.left:
            return [frames.left(self.chat_id)]
        if self.reset is not None:
            return [frames.reset(self.chat_id, self.head, self.reset.value)]
        return [frames.of_event(event) for event in self.events]


def continuation(chat_id: str, position: int, page: Log | None, user_id: str, limit: int) -> Continuation:
    """How the chat goes on from a page of its log; None where there is no such chat."""
    if page is None or user_id not in page.members:
        return Continuation(chat_id, position, 0 if page is None else page.head, True, None, [])
    reset = void(position, page.head, page.floor, limit)
    return Continuation(chat_id, position, page.head, False, reset, [] if reset else page.events)
