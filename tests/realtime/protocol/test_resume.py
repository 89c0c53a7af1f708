"""What a client that comes back is told, against a plan made in the most naive way."""

import asyncio
from datetime import datetime, timezone

from hypothesis import given
from hypothesis import strategies as st

from chat import unread
from chat.channels import CHANNELS
from chat.memberships import Membership, Standing
from chat.states import Asked
from realtime.protocol import resume
from realtime.protocol.client_frames import Hello
from version import VERSION

LIMIT = 5
CHATS = [f"chat {number}" for number in range(5)]
NOW = datetime(2026, 1, 1, tzinfo=timezone.utc)


@st.composite
def standings(draw):
    floor = draw(st.integers(0, 6))
    return Standing(floor + draw(st.integers(0, 8)), floor, draw(st.integers(0, 2)), draw(st.integers(0, 6)), 1)


MEMBERSHIPS = st.dictionaries(st.sampled_from(CHATS), standings()).map(lambda chats: Membership(1, "now", NOW, chats))
HELLOS = st.builds(
    Hello, st.sampled_from(["now", "before", None]), st.dictionaries(st.sampled_from(CHATS), st.integers(0, 15))
)


def plan(membership, hello):
    return resume.plan("me", "web.1", membership, hello, LIMIT)


@given(MEMBERSHIPS, HELLOS)
def test_the_welcome_comes_first_and_names_the_head_of_every_chat(membership, hello):
    first = plan(membership, hello).first[0]
    heads = {chat_id: standing.head for chat_id, standing in membership.chats.items()}
    release = {"version": VERSION, "channels": list(CHANNELS)}
    assert first == {"type": "welcome", "userId": "me", "epoch": "now", "instance": "web.1", "heads": heads, **release}


@given(MEMBERSHIPS, HELLOS)
def test_each_chat_goes_on_where_the_client_is_or_else_is_begun_anew(membership, hello):
    planned = plan(membership, hello)
    left, resets = set(), {}
    for frame in planned.first[1:]:
        if frame["type"] == "left":
            left.add(frame["chatId"])
        else:
            assert frame["type"] == "reset" and frame["chatId"] not in resets
            resets[frame["chatId"]] = frame
    assert left == hello.cursors.keys() - membership.chats.keys()
    assert planned.positions.keys() == membership.chats.keys()
    for chat_id, standing in membership.chats.items():
        position, cursor = planned.positions[chat_id], hello.cursors.get(chat_id)
        if chat_id in resets:
            assert cursor is not None and resets[chat_id]["head"] == position == standing.head
        elif cursor is None:
            assert position == standing.head
        else:
            # Everything between is in the log, and not too much of it.
            assert hello.epoch == "now" and position == cursor
            assert standing.floor <= cursor <= standing.head <= cursor + LIMIT
    assert sorted(planned.resets) == sorted(frame["reason"] for frame in resets.values())


@given(MEMBERSHIPS, HELLOS)
def test_a_cursor_that_can_be_continued_is_never_reset(membership, hello):
    planned = plan(membership, hello)
    for chat_id, standing in membership.chats.items():
        cursor = hello.cursors.get(chat_id)
        if cursor is not None and hello.epoch == "now" and standing.floor <= cursor <= standing.head <= cursor + LIMIT:
            assert planned.positions[chat_id] == cursor


@given(MEMBERSHIPS, HELLOS)
def test_counts_are_told_of_chats_with_unread_messages_and_of_those_where_something_was_missed(membership, hello):
    planned = plan(membership, hello)
    asked = Asked("me", membership, planned.missed, None, tuple(membership.chats))
    told = {event.chat_id: event for event in asyncio.run(unread.STATE.afresh(None, asked))}
    for chat_id, standing in membership.chats.items():
        cursor = hello.cursors.get(chat_id)
        missed = cursor is not None and (cursor != standing.head or hello.epoch != "now")
        assert (chat_id in told) == (standing.unread > 0 or missed)
        if chat_id in told:
            event = told[chat_id]
            assert event.channel == "unreadCountUpdated" and event.seq == standing.head
            assert event.data == {"chatId": chat_id, "userId": "me", "unreadCount": standing.unread}
            assert event.meta == {"readSeq": standing.read_seq}


@given(
    st.dictionaries(st.sampled_from(CHATS), st.integers(1, 300), min_size=1), st.integers(1, 100), st.integers(1, 500)
)
def test_so_many_chats_are_replayed_next_that_about_a_bufferful_comes(missing, page, most):
    chosen = resume.some(missing, page, most)
    assert chosen == list(missing)[: len(chosen)] and chosen
    events = [min(missing[chat_id], page) for chat_id in chosen]
    assert sum(events[:-1]) < most
    assert len(chosen) == len(missing) or sum(events) >= most
