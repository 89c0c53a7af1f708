"""A channel is whole: its row in CHANNELS, in the docs, its payload and producer, its reducer in the browser, its metrics.

Who hears it, and who does not, is tested over real instances in tests/processes/test_audience.py; a channel without that is named here.
"""

import re
import uuid
from pathlib import Path

import pytest

from chat import chats, messages, reads
from chat.channels import CHANNELS, Kind, projections_of
from store.database import Database

ROOT = Path(__file__).parent.parent.parent
ROW = re.compile(r"^\| `(\w+)` \| (.+?) \| (.+?) \| (logged|projection|state) \|$", re.MULTILINE)
ROWS = {name: rest for name, *rest in ROW.findall((ROOT / "docs" / "channels.md").read_text(encoding="utf-8"))}
LIMIT = 50


def key() -> str:
    return str(uuid.uuid4())


def test_the_nine_are_nine():
    assert set(CHANNELS) == {
        "messageAdded",
        "messageUpdated",
        "messageDeleted",
        "chatAdded",
        "chatUpdated",
        "chatMessageNotification",
        "messageUpdateForChatList",
        "unreadCountUpdated",
        "messageReadUpdated",
    }


@pytest.mark.parametrize("channel", CHANNELS.values(), ids=lambda channel: channel.name)
def test_a_channel_stands_in_the_docs_as_it_is_declared(channel):
    fields, audience, kind = ROWS[channel.name]
    assert kind == channel.kind.value
    if not fields.startswith("the same"):
        assert tuple(fields.split(", ")) == channel.fields
    assert audience.split(",")[0].split(" of ")[0] in channel.audience.value or channel.audience.value.startswith(
        "the user"
    )


def test_the_docs_name_no_other_channel():
    assert ROWS.keys() == CHANNELS.keys()


@pytest.mark.parametrize("kind", Kind)
def test_every_channel_has_its_reducer_in_the_browser(kind):
    """In the table of its kind; the page asks for the channels of its table STATES."""
    text = (ROOT / "static" / "js" / "model" / "channel-reducers.js").read_text(encoding="utf-8")
    table = re.search(rf"^const {kind.name}S? = {{\n(.*?)^}};", text, re.MULTILINE | re.DOTALL)[1]
    reducers = set(re.findall(r"^  (\w+)(?:\(|:)", table, re.MULTILINE))
    assert reducers == {channel.name for channel in CHANNELS.values() if channel.kind is kind}


@pytest.mark.parametrize("name", CHANNELS)
def test_who_hears_a_channel_is_tested(name):
    assert name in (ROOT / "tests" / "processes" / "test_audience.py").read_text(encoding="utf-8")


@pytest.mark.gen_test(timeout=30)
async def test_every_channel_has_a_producer_whose_objects_are_as_declared(database):
    db = Database(database)
    await db.open()
    try:
        produced = {event.channel: event for outcome in await everything(db) for event in outcome.events}
    finally:
        await db.close()
    assert produced.keys() == CHANNELS.keys()
    for name, event in produced.items():
        assert tuple(event.data) == CHANNELS[name].fields


async def everything(db) -> list:
    """The outcomes of one operation of every kind."""
    people = [
        await db.row("select id from create_user(%s, %s, 'none', null)", name, name)
        for name in ("channels.ann", "channels.ben")
    ]
    ann, ben = (row.id for row in people)
    made = await chats.create(db, ann, key(), "group", "A group", None, [ben], 100)
    chat = made.answer["id"]
    sent = await messages.send(db, ann, key(), chat, "Hello", LIMIT)
    message = sent.answer["id"]
    return [
        made,
        sent,
        await messages.edit(db, ann, key(), message, "Hello!"),
        await reads.mark(db, ben, message),
        await messages.delete(db, ann, key(), message, LIMIT),
        await chats.update(db, ann, key(), chat, {"name": "Another"}),
    ]


def test_a_projection_is_of_a_logged_channel():
    for channel in CHANNELS.values():
        if channel.kind is Kind.PROJECTION:
            assert CHANNELS[channel.projects].kind is Kind.LOGGED
            assert channel.name in projections_of(channel.projects)
        else:
            assert channel.projects is None
