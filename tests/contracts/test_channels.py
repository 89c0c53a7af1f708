"""A channel is whole: its row in CHANNELS, in the docs, its producer, its reducer in the browser; and everybody is told of it who should be.

Each test goes over the table, so that a channel of which a piece is missing fails here and says which. Who must *not* hear is tested over real
instances in tests/processes/test_audience.py; a channel without that is named here.
"""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from chat.channels import CHANNELS, DEFAULT, LOGGED, PROJECTIONS, STATES, Audience, Kind, projections_of
from tests.contracts.producers import PRODUCERS
from tests.realtime.client import Client

ROOT = Path(__file__).parent.parent.parent
ROW = re.compile(r"^\| `(\w+)` \| (.+?) \| (.+?) \| (logged|projection|state) \|$", re.MULTILINE)
ROWS = {name: rest for name, *rest in ROW.findall((ROOT / "docs" / "channels.md").read_text(encoding="utf-8"))}
# What foreign subscribers rely on: the design document's channels, with their objects and audiences. Others may join, none of these goes.
REPLAYED = [name for name in CHANNELS if name not in PROJECTIONS]
MESSAGE = "id, content, senderId, chatId, createdAt, isEdited, editedAt"
CHAT = "id, name, description, chatType, participantIds, createdAt, updatedAt"
PUBLIC = {
    "messageAdded": (Kind.LOGGED, Audience.PARTICIPANTS, MESSAGE),
    "messageUpdated": (Kind.LOGGED, Audience.PARTICIPANTS, MESSAGE),
    "messageDeleted": (Kind.LOGGED, Audience.PARTICIPANTS, "id, chatId"),
    "chatAdded": (Kind.LOGGED, Audience.PARTICIPANTS, CHAT),
    "chatUpdated": (Kind.LOGGED, Audience.PARTICIPANTS, CHAT),
    "chatMessageNotification": (Kind.PROJECTION, Audience.OTHERS, "chatId, message, senderId"),
    "messageUpdateForChatList": (Kind.PROJECTION, Audience.OTHERS, "chatId, message, senderId"),
    "unreadCountUpdated": (Kind.STATE, Audience.USER, "chatId, userId, unreadCount"),
    "messageReadUpdated": (Kind.STATE, Audience.PARTICIPANTS, "messageId, userId, readAt"),
}


# The table


@pytest.mark.parametrize("name", PUBLIC)
def test_what_foreign_subscribers_rely_on_stays_as_it_is(name):
    channel = CHANNELS[name]
    assert (channel.kind, channel.audience, ", ".join(channel.fields)) == PUBLIC[name]


def test_a_channel_is_of_one_kind_and_a_projection_is_of_a_logged_one():
    assert set(CHANNELS) == {*LOGGED, *PROJECTIONS, *STATES}
    for channel in CHANNELS.values():
        assert (channel.state is not None) is (channel.kind is Kind.STATE), channel.name
        assert (channel.projects in LOGGED) is (channel.kind is Kind.PROJECTION), channel.name
        if channel.projects:
            assert channel.name in projections_of(channel.projects)
        if channel.state:
            assert set(channel.state.key) <= set(channel.fields), channel.name


def test_a_row_cannot_be_changed_by_mistake():
    with pytest.raises(AttributeError):
        CHANNELS["messageAdded"].kind = Kind.STATE


# Its pieces


@pytest.mark.parametrize("channel", CHANNELS.values(), ids=lambda channel: channel.name)
def test_a_channel_stands_in_the_docs_as_it_is_declared(channel):
    assert channel.name in ROWS, f"docs/channels.md has no row for {channel.name}"
    fields, audience, kind = ROWS[channel.name]
    assert kind == channel.kind.value
    if not fields.startswith("the same"):
        assert tuple(fields.split(", ")) == channel.fields
    assert audience.split(",")[0].split(" of ")[0] in channel.audience.value or channel.audience.value.startswith(
        "the user"
    )


def test_the_docs_name_no_other_channel():
    assert not (unknown := ROWS.keys() - CHANNELS.keys()), (
        f"docs/channels.md has a row for {unknown}, and CHANNELS has none"
    )


def test_what_one_gets_who_names_no_channels_is_as_the_docs_say():
    text = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    (listed,) = re.findall(r"channels wanted; default `\[([^\]]*)\]`", text)
    assert set(re.findall(r'"(\w+)"', listed)) == DEFAULT


def test_every_channel_has_its_reducer_in_the_browser():
    text = (ROOT / "static/js/model/channel-reducers.js").read_text(encoding="utf-8")
    for kind, names in (("LOGGED", LOGGED), ("PROJECTIONS", PROJECTIONS), ("STATES", STATES)):
        table = text[text.index(f"const {kind} = {{") :]
        table = table[: table.index("\n};")]
        reduced = set(re.findall(r"^  (\w+)(?:\(|:|,)", table, re.MULTILINE))
        difference = reduced ^ set(names)
        assert not difference, f"static/js/model/channel-reducers.js: {kind} and CHANNELS differ by {difference}"


@pytest.mark.parametrize("name", CHANNELS)
def test_who_hears_a_channel_is_tested(name):
    tested = name in (ROOT / "tests" / "processes" / "test_audience.py").read_text(encoding="utf-8")
    assert tested, f"tests/processes/test_audience.py does not name {name}"


def test_every_channel_has_a_producer_here():
    difference = PRODUCERS.keys() ^ CHANNELS.keys()
    assert not difference, f"tests/contracts/producers.py: PRODUCERS and CHANNELS differ by {difference}"


# Who should be told of it is told


@pytest.fixture
def stage(io_loop, world):
    """Two people in a chat, with a message of each; Bob's client wants everything."""

    async def set_up():
        ada, bob = await world.users(2)
        chat = await world.group(ada, bob)
        message, answer = await world.send(ada, chat), await world.send(bob, chat)
        client = Client(bob, channels=[*PROJECTIONS, *STATES])
        return SimpleNamespace(db=world.db, ada=ada, bob=bob, chat=chat, message=message, answer=answer, client=client)

    return io_loop.run_sync(set_up)


async def happen(stage, name):
    """The operation that publishes on this channel; its event."""
    outcome = await PRODUCERS[name](stage)
    events = [event for event in outcome.events if event.channel == name]
    mine = [
        event for event in events if CHANNELS[name].audience is not Audience.USER or event.data["userId"] == stage.bob
    ]
    assert mine, f"nothing is published on {name}"
    assert tuple(mine[0].data) == CHANNELS[name].fields
    return outcome, mine[0]


def is_told(client, event, after=0):
    """Whether the client has been told of this, in frames that came after so many others."""
    return any(
        (frame.get("channel"), frame.get("chatId"), frame.get("data")) == (event.channel, event.chat_id, event.data)
        for frame in client.frames[after:]
    )


@pytest.mark.parametrize("name", CHANNELS)
@pytest.mark.gen_test
async def test_a_change_is_told_live(name, stage, instance, connect):
    node = await instance()
    socket = await connect(node, stage.client).hello().synced()
    outcome, event = await happen(stage, name)
    node.publish(outcome.events)
    await socket.until(lambda: is_told(stage.client, event))


@pytest.mark.parametrize("name", REPLAYED)
@pytest.mark.gen_test
async def test_a_change_is_told_to_who_comes_back(name, stage, instance, connect):
    node = await instance()
    (await connect(node, stage.client).hello().synced()).leave()
    before = len(stage.client.frames)
    _, event = await happen(stage, name)
    await connect(node, stage.client).hello().synced()
    assert is_told(stage.client, event, before) or event.chat_id in stage.client.of("welcome")[-1]["heads"].keys() - {
        stage.chat
    }


@pytest.mark.parametrize("name", REPLAYED)
@pytest.mark.gen_test
async def test_a_change_is_told_to_who_asks_by_sync(name, stage, instance, connect):
    node = await instance()
    (await connect(node, stage.client).hello().synced()).leave()
    _, event = await happen(stage, name)
    asked = {field: value for field, value in stage.client.hello().items() if field != "type"}
    frames = await node.sync(stage.bob, asked)
    assert is_told(SimpleNamespace(frames=frames), event) or event.chat_id in frames[0]["heads"].keys() - {stage.chat}


@pytest.mark.parametrize("name", CHANNELS)
@pytest.mark.gen_test
async def test_a_change_that_nobody_published_is_told_after_the_next_check(name, stage, instance, connect):
    node = await instance()
    socket = await connect(node, stage.client).hello().synced()
    await node.head_checks.check(True)  # from here on, what was missed is known by its time
    _, event = await happen(stage, name)
    await node.head_checks.check(True)
    await socket.until(
        lambda: is_told(stage.client, event) or event.chat_id in stage.client.cursors.keys() - {stage.chat}
    )
