"""A client comes back: what it must get for each of its chats, given the chats' heads and its cursors. Pure."""

from dataclasses import dataclass

from chat.event_log import Log
from chat.events import Event
from chat.memberships import Membership
from realtime.protocol import frames
from realtime.protocol.client_frames import Hello
from realtime.protocol.position import Reset, void


@dataclass(slots=True)
class Plan:
    """The answer to a `hello`."""

    first: list[dict]  # the frames before any replay
    positions: dict[str, int]  # where each chat continues; a chat whose position is below its head is replayed
    resets: list[str]  # their reasons
    missed: set[str]  # chats of which the client lacks something: their unread counts are sent even where they are 0


def plan(user_id: str, instance: str, membership: Membership, hello: Hello, limit: int) -> Plan:
    """How to answer a `hello`; chats with more than `limit` missing events are reset."""
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
    """Which chats to replay next: as many as it takes to read about `most` events, and at least one. `missing` counts each chat's events.

    A socket takes a few hundred frames at a time. Pages of all its chats would mostly be read in vain, again and again.
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
    """How one chat continues for a reader at `position`, from one snapshot of the log in which the chat's newest event was `head`."""

    chat_id: str
    position: int
    head: int
    left: bool  # the reader is not in the chat
    reset: Reset | None  # why the position is void; the chat continues after `head` then
    events: list[Event]  # the next ones after the position, in order

    def frames(self) -> list[dict]:
        """The frames for the reader."""
        if self.left:
            return [frames.left(self.chat_id)]
        if self.reset is not None:
            return [frames.reset(self.chat_id, self.head, self.reset.value)]
        return [frames.of_event(event) for event in self.events]


def continuation(chat_id: str, position: int, page: Log | None, user_id: str, limit: int) -> Continuation:
    """How the chat continues, from a page of its log. `page` is None where the chat does not exist."""
    if page is None or user_id not in page.members:
        return Continuation(chat_id, position, 0 if page is None else page.head, True, None, [])
    reset = void(position, page.head, page.floor, limit)
    return Continuation(chat_id, position, page.head, False, reset, [] if reset else page.events)
