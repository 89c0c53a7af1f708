"""Two instances on a real Valkey: people of one chat see of each other who is online, nobody else does, and without Redis nobody claims to."""

import pytest

from chat import chats, participants
from realtime.presence.presence_notifier import PRESENCE
from realtime.stream.client import Client as ServedClient
from tests.chat.conftest import key
from tests.realtime.client import Client
from tests.realtime.instances import command, published
from tests.realtime.sockets import until

PRESENT = {"presence_beat_seconds": 1.0, "presence_grace_seconds": 1.0}
SECONDS = 30  # that something may take on a busy machine


@pytest.fixture
def present(healthy):
    """`await present(**limits)` → two instances that know who is online."""

    async def create(**limits):
        instances = await healthy(**{**PRESENT, **limits})
        await until(lambda: all(one.presence._known for one in instances), SECONDS)
        return instances

    return create


def asking(user):
    return Client(user, presence=True)


async def sees(socket, *user_ids):
    await socket.until(lambda: socket.client.online == set(user_ids), SECONDS)


@pytest.mark.gen_test
async def test_people_of_one_chat_see_of_each_other_who_is_online_on_any_instance(present, connect, world):
    one, other = await present()
    ada, bob, cem, eve = await world.users(4)
    await world.group(ada, bob, cem)
    hers, his = await connect(one, asking(ada)).hello().synced(), await connect(other, asking(bob)).hello().synced()
    stranger, silent = await connect(other, asking(eve)).hello().synced(), await connect(other, cem).hello().synced()
    await sees(hers, bob, cem)
    await sees(his, ada, cem)
    await sees(stranger)
    silent.leave()
    his.leave()
    await sees(hers)
    assert not silent.client.of("presence") and not stranger.client.of("presenceChanged")


@pytest.mark.gen_test
async def test_a_reload_and_a_move_to_another_instance_are_not_worth_a_frame(present, connect, world):
    one, other = await present(presence_grace_seconds=10.0)
    ada, bob = await world.users(2)
    await world.group(ada, bob)
    hers, his = await connect(one, asking(ada)).hello().synced(), await connect(one, bob).hello().synced()
    await sees(hers, bob)
    his.leave()
    his = await connect(other, bob).hello().synced()
    await until(lambda: not one.presence._users._leaving, SECONDS)  # one has forgotten him, the other has him
    await until(lambda: bob in other.presence._users.online, SECONDS)
    hers.take()
    assert hers.client.online == {bob} and not hers.client.of("presenceChanged", offline=[bob])


@pytest.mark.gen_test
async def test_an_instance_that_dies_takes_its_users_along(present, connect, world):
    one, other = await present()
    ada, bob = await world.users(2)
    await world.group(ada, bob)
    hers, _ = await connect(one, asking(ada)).hello().synced(), await connect(other, bob).hello().synced()
    await sees(hers, bob)
    await other.stop()
    await sees(hers)


@pytest.mark.gen_test
async def test_without_redis_nobody_knows_and_when_it_is_back_everybody_does(present, connect, world, server):
    one, other = await present()
    ada, bob = await world.users(2)
    await world.group(ada, bob)
    hers, his = await connect(one, asking(ada)).hello().synced(), await connect(other, asking(bob)).hello().synced()
    await sees(hers, bob)
    server.kill()
    for socket in (hers, his):
        await socket.until(
            lambda socket=socket: socket.client.online is None and len(socket.client.of("presence")) > 1, SECONDS
        )
    late = await connect(one, asking(ada)).hello().synced()
    await late.until(lambda: late.client.of("presence"), SECONDS)
    assert late.client.online is None
    server.start()
    await sees(hers, bob)
    await sees(his, ada)
    await sees(late, bob)


@pytest.mark.gen_test
async def test_an_instance_that_has_just_begun_says_nothing_before_it_knows(instance, connect, world, server):
    ada, bob = await world.users(2)
    await world.group(ada, bob)
    server.kill()  # so that it cannot know yet, for as long as this looks
    one = await instance(redis=server.url, start=True, **PRESENT)
    looks = []
    one.presence._degraded = lambda: looks.append(one.degraded) or one.degraded
    hers = await connect(one, asking(ada)).hello().synced()
    await connect(one, bob).hello().synced()
    looks.clear()
    await until(lambda: len(looks) > 1, SECONDS)
    hers.take()
    assert all(looks) and not hers.client.of("presence")
    server.start()
    await sees(hers, bob)
    assert [frame["online"] for frame in hers.client.of("presence")] == [[bob]]


@pytest.mark.gen_test
async def test_who_comes_while_others_chats_are_looked_up_is_told_of_their_own(present, connect, world, monkeypatch):
    one, _ = await present()
    ada, bob, cem, eve = await world.users(4)
    await world.group(ada, bob)
    await world.group(cem, eve)
    for user in (bob, eve):
        await connect(one, user).hello().synced()
    read, late = participants.of, []

    async def of(*arguments):
        if not late:
            late.append(await connect(one, asking(cem)).hello().synced())
        return await read(*arguments)

    monkeypatch.setattr(participants, "of", of)
    hers = await connect(one, asking(ada)).hello().synced()
    await sees(hers, bob)
    await sees(late[0], eve)
    assert [frame["online"] for frame in late[0].client.of("presence")] == [[eve]]


@pytest.mark.gen_test
async def test_who_is_added_sees_and_is_seen_and_who_is_removed_does_not_any_more(present, connect, world):
    one, other = await present()
    ada, bob, cem = await world.users(3)
    chat_id = await world.group(ada, bob)
    sockets = [
        await connect(*where).hello().synced()
        for where in ((one, asking(ada)), (other, asking(bob)), (other, asking(cem)))
    ]
    hers, his, theirs = sockets
    await sees(hers, bob)
    await sees(theirs)
    await published(one, chats.add(world.db, ada, key(), chat_id, [cem], 100))
    await sees(theirs, ada, bob)
    await sees(hers, bob, cem)
    await published(one, chats.remove(world.db, ada, key(), chat_id, cem))
    await sees(theirs)
    await sees(hers, bob)
    await sees(his, ada)


@pytest.mark.gen_test
async def test_chats_above_the_limit_tell_nothing_of_their_people(present, connect, world):
    one, other = await present(presence_participants=2)
    ada, bob, cem = await world.users(3)
    await world.group(ada, bob, cem)
    await world.group(ada, bob)
    hers, theirs = await connect(one, asking(ada)).hello().synced(), await connect(other, asking(cem)).hello().synced()
    await connect(other, asking(bob)).hello().synced()
    await sees(hers, bob)
    await sees(theirs)
    assert hers.client.of("presence")[-1]["limit"] == 2


@pytest.mark.gen_test
async def test_with_a_limit_of_nobody_there_is_no_presence_at_all(healthy, connect, world):
    one, other = await healthy(**PRESENT, presence_participants=0)
    ada, bob = await world.users(2)
    await world.group(ada, bob)
    hers, _ = await connect(one, asking(ada)).hello().synced(), await connect(other, bob).hello().synced()
    hers.take()
    assert not hers.client.of("presence") and not one.presence._users.online


@pytest.mark.gen_test
async def test_a_socket_too_slow_for_a_change_is_told_everything_when_there_is_room(
    present, connect, world, monkeypatch
):
    one, other = await present()
    ada, bob, cem = await world.users(3)
    await world.group(ada, bob, cem)
    hers = await connect(one, asking(ada)).hello().synced()
    await sees(hers)
    with monkeypatch.context() as patch:
        refused = []
        patch.setattr(ServedClient, "try_send", lambda client, frame: refused.append(frame))
        await connect(other, bob).hello().synced()
        await until(lambda: refused, SECONDS)
    await connect(other, cem).hello().synced()
    await sees(hers, bob, cem)


@pytest.mark.gen_test
async def test_nothing_is_kept_of_chats_and_sockets_that_are_gone(present, connect, world):
    one, _ = await present()
    ada, bob = await world.users(2)
    await world.group(ada, bob)
    sockets = [await connect(one, asking(user)).hello().synced() for user in (ada, bob)]
    await sees(sockets[0], bob)
    for socket in sockets:
        socket.leave()
    assert not (one.presence._chats_of or one.hub.presence_clients or one.hub.presence_outdated)
    await until(lambda: not one.presence._users.online, SECONDS)


@pytest.mark.gen_test
async def test_rubbish_on_the_channel_disturbs_nobody(present, connect, world, server):
    one, other = await present()
    ada, bob = await world.users(2)
    await world.group(ada, bob)
    hers, _ = await connect(one, asking(ada)).hello().synced(), await connect(other, bob).hello().synced()
    for payload in (
        b"",
        b"rubbish",
        b"[]",
        b'{"from":["x"],"n":1}',
        b'{"from":"x","n":1,"users":[1]}',
        b'{"from":"x","n":{},"ask":"all"}',
    ):
        command(server, "PUBLISH", PRESENCE, payload)
    await sees(hers, bob)
    assert not one.degraded
