"""Two instances on a real Valkey and a real PostgreSQL: what one commits, the sockets of both hear, whatever happens to Redis."""

import asyncio
import hashlib
import os
import time

import orjson
import pytest

from chat import accounts, chats, memberships
from metrics import REGISTRY
from realtime.bus import connections, envelope
from realtime.bus.channel_names import CONTROL
from realtime.limits import Limits
from store.database import new_epoch
from tests.chat.conftest import key
from tests.realtime.client import Client
from tests.realtime.instances import NEVER, caught_up, command, counted, published, send, texts
from tests.realtime.sockets import until

# With Redis


@pytest.mark.gen_test
async def test_what_one_instance_commits_the_sockets_of_both_hear_at_once_and_once(healthy, connect, world):
    one, other = await healthy(**NEVER)
    ada, bob, eve = await world.users(3)
    chat_id, foreign = await world.group(ada, bob), await world.group(eve)
    here, there, outsider = [
        await connect(*where).hello().synced() for where in ((one, ada), (other, bob), (other, eve))
    ]
    await published(one, send(world, ada, chat_id, "from one"))
    await published(other, send(world, bob, chat_id, "from the other"))
    await caught_up(world, here, there)
    assert texts(here.client) == texts(there.client) == ["from one", "from the other"]
    await there.until(lambda: there.client.watermarks[chat_id] == {ada: 2, bob: 3})
    await here.until(lambda: here.client.unread[chat_id] == (3, 1))
    outsider.take()
    assert outsider.client.cursors == {foreign: 1} and len(outsider.client.frames) == 2


@pytest.mark.gen_test
async def test_a_message_waits_for_no_unread_count(healthy, connect, world, monkeypatch):
    one, other = await healthy(**NEVER)
    people = await world.users(8)
    chat_id = await world.group(*people)
    here, there = [await connect(node, people[1]).hello().synced() for node in (one, other)]
    batches, publish = [], one._publisher.publish

    def recorded(batch):
        batches.append((here.take() > 0, [address for address, _ in batch]))
        return publish(batch)

    monkeypatch.setattr(one._publisher, "publish", recorded)
    sent = await send(world, people[0], chat_id)
    assert one.publish(sent.events) == 1
    await there.until(lambda: there.client.unread[chat_id] == (2, 1))
    assert [batch for batch in batches if batch[1] != ["control"]] == [
        (False, ["messageAdded"]),
        (True, ["chatMessageNotification", "messageUpdateForChatList", *["unreadCountUpdated"] * 7]),
    ]
    assert texts(here.client) == texts(there.client) == ["Hello"]


@pytest.mark.gen_test
async def test_writers_on_two_instances_at_once_are_heard_in_one_order_by_all(healthy, connect, world):
    instances = await healthy()
    people = await world.users(4)
    chat_ids = [await world.group(*people) for _ in range(2)]
    sockets = [await connect(instances[number % 2], user).hello().synced() for number, user in enumerate(people)]

    async def write(number):
        for count in range(20):
            await published(
                instances[number % 2], send(world, people[number], chat_ids[count % 2], f"{number} {count}")
            )

    await asyncio.gather(*map(write, range(4)))
    await caught_up(world, *sockets)
    for chat_id in chat_ids:
        heard = [
            [data["content"] for chat, _, _, data in socket.client.logged if chat == chat_id] for socket in sockets
        ]
        assert len(heard[0]) == 40 and heard.count(heard[0]) == 4


@pytest.mark.gen_test
async def test_counts_of_a_large_chat_are_worked_out_where_the_sockets_are(healthy, connect, world):
    one, other = await healthy(**NEVER)
    people = await world.users(4)
    chat_id = await world.group(*people)
    sockets = [await connect(other, user).hello().synced() for user in people]
    for _ in range(5):
        await published(one, send(world, people[0], chat_id, limit=3))
    for socket in sockets[1:]:
        await socket.until(lambda socket=socket: socket.client.unread[chat_id] == (6, 5))
        assert len(socket.client.of("state", channel="unreadCountUpdated")) <= 3
    await caught_up(world, sockets[0])
    assert sockets[0].client.unread.get(chat_id, (0, 0))[1] == 0


@pytest.mark.gen_test
async def test_typing_is_heard_on_the_other_instance_by_the_others(healthy, connect, world):
    one, other = await healthy()
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    hers, hers_there, his = [
        await connect(*where).hello().synced() for where in ((one, ada), (other, ada), (other, bob))
    ]
    hers.say({"type": "typing", "chatId": chat_id})
    await his.until(lambda: his.client.of("typing"))
    hers_there.take()
    assert his.client.of("typing") == [{"type": "typing", "chatId": chat_id, "userId": ada}]
    assert not hers.client.of("typing") and not hers_there.client.of("typing")


@pytest.mark.gen_test
async def test_typing_reaches_the_others_where_one_of_them_falls_behind_in_the_same_moment(healthy, connect, world):
    here, _ = await healthy()
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    hers = await connect(here, ada).hello().synced()
    his = [await connect(here, bob).hello().synced() for _ in range(5)]
    his[2].pair.writer.unsent = here.limits.socket_buffer_bytes  # it is too slow for the message
    here.publish((await send(world, ada, chat_id)).events[:1])
    hers.say({"type": "typing", "chatId": chat_id})
    his[2].pair.writer.unsent = 0
    for each in his:
        await each.until(lambda each=each: each.client.of("typing") or each is his[2])
        await each.until(lambda each=each: each.client.of("event"))
    assert hers.code is None


@pytest.mark.gen_test
async def test_without_redis_nobody_is_told_of_typing_rather_than_some(healthy, connect, world, server):
    one, other = await healthy()
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    hers, his, there = [await connect(*where).hello().synced() for where in ((one, ada), (one, bob), (other, bob))]
    server.kill()
    await until(lambda: one.degraded)
    hers.say({"type": "typing", "chatId": chat_id})
    await published(one, send(world, ada, chat_id, "and not only typed"))
    await caught_up(world, his, there)
    assert not his.client.of("typing") and not there.client.of("typing")


@pytest.mark.gen_test
async def test_what_is_no_event_of_this_history_is_counted_and_ignored(healthy, connect, world, server):
    (one,) = await healthy(server.url)
    ada = await world.user()
    chat_id = await world.group(ada)
    socket = await connect(one, ada).hello().synced()
    outcome = await send(world, ada, chat_id)
    event = outcome.events[0]
    right = {
        "messageAdded": event.data,
        "_": {"v": 1, "chatId": chat_id, "seq": 2, "epoch": one.epoch, "from": "another"},
    }
    wrong = [
        b"", b"rubbish", b"null", b"[]", b"{}", b"\xff", b"1",
        *(orjson.dumps({**right, "_": {**right["_"], **change}}) for change in (
            {"v": 2}, {"epoch": "another"}, {"seq": "2"}, {"seq": None}, {"chatId": 7}, {"epoch": None})),
        *(orjson.dumps({**right, "_": {name: value for name, value in right["_"].items() if name != missing}}) for missing in right["_"]),
        orjson.dumps({"messageUpdated": event.data, "_": right["_"]}),
        orjson.dumps({**right, "messageAdded": "a string"}),
    ]  # fmt: skip
    before, received = (
        counted("foreign_messages", channel="messageAdded"),
        counted("events_received", channel="messageAdded"),
    )
    since = one.state()["subscriber"]["since"]
    for payload in wrong:
        command(server, "PUBLISH", "messageAdded", payload)
    for payload in (
        b"",
        b"rubbish",
        b"[]",
        b'{"kind":["canary"]}',
        b'{"kind":"sessionEnded","sessionId":["x"]}',
        b'{"kind":"canary","boot":7}',
    ):
        command(server, "PUBLISH", CONTROL, payload)
        command(server, "PUBLISH", "parley:typing", payload)
    command(server, "PUBLISH", "messageAdded", orjson.dumps(right))
    await caught_up(world, socket)
    assert counted("events_received", channel="messageAdded") - received == len(wrong) + 1
    assert counted("foreign_messages", channel="messageAdded") - before == len(wrong)
    assert one.state()["subscriber"]["since"] == since
    await until(lambda: not one.degraded)
    assert [seq for _, seq, *_ in socket.client.logged] == [2]


@pytest.mark.gen_test
async def test_an_event_of_a_chat_that_nobody_watches_is_not_even_parsed_and_what_is_foreign_is_counted_nevertheless(
    healthy, connect, world, server, monkeypatch
):
    (one,) = await healthy(server.url, **NEVER)
    ada, bob = await world.users(2)
    await world.group(ada)
    socket = await connect(one, ada).hello().synced()
    event = (await send(world, bob, await world.group(bob))).events[0]
    right = envelope.encode(event, one.epoch, "another")
    parsed, opened = [], envelope.decode
    monkeypatch.setattr(envelope, "decode", lambda *message: parsed.append(message) or opened(*message))
    foreign = [
        envelope.encode(event, key(), "another"),
        right + b" }",
        right.replace(b'"seq":2', b'"seq":"2"'),
        right.replace(b'"v":1', b'"v":7'),
        right.replace(b'{"messageAdded"', b'{"messageUpdated"'),
        right[:-40],
        right.replace(b'"messageAdded":{', b'"messageAdded":[{', 1),
    ]
    before, received = (
        counted("foreign_messages", channel="messageAdded"),
        counted("events_received", channel="messageAdded"),
    )
    for payload in (right, *foreign, right):
        command(server, "PUBLISH", "messageAdded", payload)
    await until(lambda: counted("events_received", channel="messageAdded") - received == len(foreign) + 2)
    assert counted("foreign_messages", channel="messageAdded") - before == len(foreign) == len(parsed)
    socket.take()
    assert not socket.client.logged


@pytest.mark.gen_test
async def test_an_event_that_cannot_be_delivered_here_is_published_all_the_same(healthy, connect, world, monkeypatch):
    one, other = await healthy()
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    here, there = [await connect(*where).hello().synced() for where in ((one, ada), (other, bob))]
    with monkeypatch.context() as patch:
        patch.setattr(one.event_stream, "_deliver", None)
        await published(one, send(world, ada, chat_id))
        await caught_up(world, there)
    await caught_up(world, here)


# Without


@pytest.mark.gen_test
async def test_while_redis_is_down_own_sockets_hear_at_once_and_others_by_the_check(healthy, connect, world, server):
    one, other = await healthy(head_check_seconds=1000.0)
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    here, there = [await connect(*where).hello().synced() for where in ((one, ada), (other, bob))]
    server.kill()
    await until(lambda: one.degraded and other.degraded)
    outcome = await send(world, ada, chat_id, "without")
    one.publish(outcome.events)
    here.pair.writer.flush()
    here.take()
    assert texts(here.client) == ["without"]
    await caught_up(world, there, seconds=2)
    assert one.state()["publisher"]["state"] == "reconnecting"
    await until(lambda: one.state()["canary"]["state"] == "missing")
    server.start()
    await until(lambda: not one.degraded and not other.degraded, 10)
    await published(one, send(world, ada, chat_id, "with"))
    await caught_up(world, here, there)
    assert texts(here.client) == texts(there.client) == ["without", "with"]
    await there.until(lambda: there.client.unread[chat_id] == (3, 2))


@pytest.mark.gen_test
async def test_people_who_join_and_leave_while_redis_is_down_are_let_in_and_out(healthy, connect, world, server):
    one, other = await healthy()
    ada, bob, eve = await world.users(3)
    chat_id = await world.group(ada, bob)
    his, hers = [await connect(other, user).hello().synced() for user in (bob, eve)]
    server.kill()
    await published(one, chats.add(world.db, ada, key(), chat_id, [eve], 10))
    await published(one, chats.remove(world.db, ada, key(), chat_id, bob))
    await published(one, send(world, ada, chat_id, "not for Bob"))
    created = await published(one, chats.create(world.db, ada, key(), "group", "New", None, [eve], 10))
    await caught_up(world, hers, his)
    assert set(hers.client.cursors) == {chat_id, created.answer["id"]} and his.client.of("left")
    assert "not for Bob" not in str(his.client.frames)


@pytest.mark.gen_test
async def test_an_answer_from_before_a_removal_lets_nobody_in_again(healthy, connect, world, server, monkeypatch):
    (one,) = await healthy(server.url)
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    his = await connect(one, bob).hello().synced()
    real, asked, go_on = memberships.memberships, asyncio.Event(), asyncio.Event()

    async def slow(db, user_ids):
        answer = await real(db, user_ids)
        asked.set()
        await go_on.wait()
        return answer

    monkeypatch.setattr(memberships, "memberships", slow)
    refresh = asyncio.ensure_future(one.event_stream.refresh_memberships([bob]))
    await asked.wait()
    await published(one, chats.remove(world.db, ada, key(), chat_id, bob))
    await his.until(lambda: his.client.of("left"))
    go_on.set()
    await refresh
    monkeypatch.undo()
    back = await published(one, chats.add(world.db, ada, key(), chat_id, [bob], 50))
    await his.until(lambda: his.client.cursors.get(chat_id) == back.seq)
    assert [frame["seq"] for frame in his.client.of("joined")] == [back.seq - 1]


@pytest.mark.parametrize("snapshot", ["before", "after"])
@pytest.mark.parametrize("others", [False, True])
@pytest.mark.gen_test
async def test_whoever_is_let_in_is_told_what_they_have_not_read_of_it(
    healthy, connect, world, server, monkeypatch, snapshot, others
):
    """Also of what was said while the database was asked, before and after it looked, whether others here watch the chat or nobody does."""
    (one,) = await healthy(server.url, **NEVER)
    ada, bob = await world.users(2)
    chat_id = await world.group(ada)
    if others:
        await connect(one, ada).hello().synced()
    his = await connect(one, bob).hello().synced()
    standings, asked, go_on = memberships.standings, asyncio.Event(), asyncio.Event()

    async def slow(*question):
        asked.set()
        if snapshot == "before":
            answer = await standings(*question)
            await go_on.wait()
            return answer
        await go_on.wait()
        return await standings(*question)

    monkeypatch.setattr(memberships, "standings", slow)
    added = await published(one, chats.add(world.db, ada, key(), chat_id, [bob], 50))
    await asked.wait()
    said = await published(one, send(world, ada, chat_id))
    await asyncio.sleep(0.1)
    go_on.set()
    await his.until(lambda: his.client.cursors.get(chat_id) == said.seq)
    await his.until(lambda: his.client.unread.get(chat_id) == (said.seq, 1))
    assert [frame["seq"] for frame in his.client.of("joined")] == [added.seq - 1]


@pytest.mark.gen_test
async def test_a_last_event_that_nobody_published_is_found_by_the_check(healthy, connect, world):
    one, other = await healthy()
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    sockets = [await connect(*where).hello().synced() for where in ((one, ada), (other, bob))]
    await world.send(ada, chat_id, "its instance died")
    await caught_up(world, *sockets)
    await sockets[1].until(lambda: sockets[1].client.unread[chat_id] == (2, 1))
    assert [len(socket.client.logged) for socket in sockets] == [1, 1]


@pytest.mark.gen_test
async def test_a_count_that_was_lost_while_its_message_came_is_told_by_the_check(healthy, connect, world):
    one, other = await healthy()
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    his = await connect(other, bob).hello().synced()
    for number in (1, 2):
        outcome = await send(world, ada, chat_id)
        one.publish([event for event in outcome.events if event.channel != "unreadCountUpdated"])
        await his.until(lambda number=number: his.client.unread.get(chat_id, (0, 0))[1] == number)


@pytest.mark.gen_test
async def test_a_subscriber_that_is_back_looks_at_once_what_it_missed(healthy, connect, world, server):
    one, other = await healthy(**NEVER)
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    message = await world.send(ada, chat_id)
    there = await connect(other, ada).hello().synced()
    with_wait = other._subscriber._wait
    gate = asyncio.Event()
    other._subscriber._wait = lambda attempt: 0.0 if gate.is_set() else 0.05
    real = other._subscriber._connect

    async def connect_later():
        await gate.wait()
        await real()

    other._subscriber._connect = connect_later
    command(server, "CLIENT", "KILL", "TYPE", "pubsub")
    await until(lambda: not other._subscriber.up)
    await published(one, send(world, bob, chat_id, "missed"))
    outcome = await world.read(bob, message)
    one.publish(outcome.events)
    gate.set()
    await caught_up(world, there)
    await there.until(lambda: there.client.watermarks[chat_id].get(bob) == 3)
    await there.until(lambda: there.client.unread[chat_id] == (3, 1))
    other._subscriber._wait = with_wait


@pytest.mark.gen_test
async def test_a_silent_subscription_is_found_by_its_canary_and_rebuilt_and_nothing_is_lost_meanwhile(
    healthy, connect, world, server, proxy
):
    one, other = await healthy(server.url, proxy.url)
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    there = await connect(other, bob).hello().synced()
    before = other.state()["publisher"]
    proxy.silence_present("subscriber")
    await published(one, send(world, ada, chat_id, "into the silence"))
    await caught_up(world, there)
    await until(lambda: other.degraded)
    await until(lambda: not other.degraded, 10)
    assert proxy.count("subscriber") == 1 and other.state()["publisher"] == before
    await published(one, send(world, ada, chat_id, "heard again"))
    await caught_up(world, there)


@pytest.mark.gen_test
async def test_a_publisher_that_is_cut_off_leaves_the_subscriber_alone(
    healthy, connect, world, server, proxy, monkeypatch
):
    monkeypatch.setattr(connections, "COMMAND_SECONDS", 0.1)
    monkeypatch.setattr(connections, "CONNECT_SECONDS", 0.2)
    one, other = await healthy(server.url, proxy.url)
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    there = await connect(other, bob).hello().synced()
    before = other.state()["subscriber"]
    proxy.silence("publisher")
    await until(lambda: other._publisher.attempts >= 4, 10)
    assert other.degraded and other.state()["canary"]["state"] == "missing"
    await published(one, send(world, ada, chat_id))
    await caught_up(world, there)
    assert other.state()["subscriber"] == before


@pytest.mark.gen_test
async def test_states_that_an_instance_could_not_publish_are_told_when_it_can_again(
    healthy, connect, world, server, proxy, monkeypatch
):
    monkeypatch.setattr(connections, "COMMAND_SECONDS", 0.1)
    monkeypatch.setattr(connections, "CONNECT_SECONDS", 0.2)
    one, other = await healthy(proxy.url, server.url)
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    message = await world.send(ada, chat_id)
    hers, his = [await connect(other, user).hello().synced() for user in (ada, bob)]
    assert his.client.unread[chat_id] == (2, 1)
    proxy.silence("publisher")
    await until(lambda: not one._publisher.up)
    one.publish((await world.read(bob, message)).events)
    proxy.heal()
    await hers.until(lambda: hers.client.watermarks.get(chat_id, {}).get(bob) == 2)
    await his.until(lambda: his.client.unread[chat_id] == (2, 0))


# Sessions that end


async def signed_in(world, user):
    token = os.urandom(16).hex()
    row = await world.db.row(
        "select * from create_session(%s, %s, 30, '')", user, hashlib.sha256(token.encode()).digest()
    )
    return token, row.id


@pytest.mark.parametrize("is_down", [False, True])
@pytest.mark.gen_test
async def test_a_sign_out_closes_the_sessions_sockets_everywhere_and_no_others(
    is_down, healthy, connect, world, server
):
    one, other = await healthy(**({} if is_down else NEVER))
    ada = await world.user()
    (token, session_id), (_, elsewhere) = [await signed_in(world, ada) for _ in range(2)]
    here, there, also_hers = [
        await connect(*where).hello().synced()
        for where in ((one, ada, session_id), (other, ada, session_id), (other, ada, elsewhere))
    ]
    mute = connect(other, ada, session_id)
    if is_down:
        server.kill()
        await until(lambda: one.degraded)
    ended = await accounts.Accounts(world.db, None).sign_out(token)
    one.session_ended(ended.id)
    assert here.code == 4401
    await until(lambda: there.code and mute.code)
    assert (there.code, mute.code, also_hers.code) == (4401, 4401, None)


@pytest.mark.gen_test
async def test_a_session_that_expires_loses_its_sockets(healthy, connect, world, server):
    (one,) = await healthy(server.url)
    ada = await world.user()
    (_, session_id), (_, longer) = [await signed_in(world, ada) for _ in range(2)]
    socket, other = [await connect(one, ada, session).hello().synced() for session in (session_id, longer)]
    await world.db.rows(
        "update sessions set expires_at = now() - interval '1 second' where id = %s returning id", session_id
    )
    await until(lambda: socket.code)
    assert (socket.code, other.code) == (4401, None)


# Another history


@pytest.mark.gen_test
async def test_a_new_epoch_sends_everybody_away_and_resets_them_when_they_come_back(
    healthy, connect, world, database, server
):
    (one,) = await healthy(server.url)
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    sockets = [await connect(one, user).hello().synced() for user in (ada, bob)]
    mute = connect(one, ada)
    new_epoch(database)
    await until(lambda: all(socket.code for socket in (*sockets, mute)))
    assert {socket.code for socket in (*sockets, mute)} == {1012}
    assert not (one.hub.clients or one.hub.users or one.hub.streams)
    client = sockets[0].client
    again = await connect(one, client).hello().synced()
    assert [(frame["chatId"], frame["reason"]) for frame in client.of("reset")] == [(chat_id, "epoch")]
    assert client.epoch == one.epoch
    await published(one, send(world, bob, chat_id))
    await caught_up(world, again)


@pytest.mark.gen_test
async def test_a_restored_backup_is_noticed_even_without_a_new_epoch(healthy, connect, world, server):
    (one,) = await healthy(server.url)
    ada = await world.user()
    chat_id = await world.group(ada)
    socket = await connect(one, ada).hello().synced()
    for _ in range(4):
        await published(one, send(world, ada, chat_id))
    await caught_up(world, socket)
    await world.db.rows("delete from chat_events where chat_id = %s and seq > 3 returning seq", chat_id)
    await world.db.rows("delete from messages where chat_id = %s and seq > 3 returning seq", chat_id)
    await world.db.rows("update chats set head_seq = 3, message_count = 2 where id = %s returning id", chat_id)
    await until(lambda: socket.code)
    assert socket.code == 1012
    again = await connect(one, socket.client).hello().synced()
    assert [(frame["reason"], frame["head"]) for frame in socket.client.of("reset")] == [("ahead", 3)]
    await published(one, send(world, ada, chat_id, "after"))
    await caught_up(world, again)


# Polling


@pytest.mark.gen_test
async def test_sync_answers_the_frames_that_a_socket_gets(instance, connect, world):
    ada, bob = await world.users(2)
    chat_ids = [await world.group(bob, ada) for _ in range(6)]
    node = await instance(replay_page=2, replay_limit=5)
    first = await connect(node, ada).hello().synced()
    first.leave()
    missed, edited, too_much, left, nothing, pruned = chat_ids
    message = await world.send(bob, missed)
    await world.send(bob, missed)
    await world.edit(bob, await world.send(bob, edited))
    for _ in range(7):
        await world.send(bob, too_much)
    await world.remove(bob, left, ada)
    for _ in range(2):
        await world.send(bob, pruned)
    await world.db.rows("update chats set floor_seq = 2 where id = %s returning id", pruned)
    created = await world.group(bob, ada)
    await world.read(bob, await world.send(ada, nothing))
    await world.delete(bob, message)
    fields = {name: value for name, value in first.client.hello().items() if name != "type"}
    polled = await node.sync(ada, fields)
    client = Client(ada)
    client.epoch, client.cursors, client.since = fields["epoch"], dict(fields["cursors"]), fields["since"]
    await connect(node, client).hello().synced()
    assert canonical(client.frames) == canonical(polled)
    assert {frame["type"] for frame in polled} == {"welcome", "left", "reset", "event", "state", "synced"}
    assert client.cursors == {missed: 4, edited: 3, too_much: 8, nothing: 2, pruned: 3, created: 1}


def canonical(frames):
    """The frames by chat, in which they are in order; between chats there is no order. A time is not the same twice."""
    return sorted(
        ({**frame, "at": None} if "at" in frame else frame for frame in frames),
        key=lambda frame: (
            frame["type"] == "synced",
            frame["type"] != "welcome",
            frame.get("chatId", ""),
            frame["type"] == "state",
        ),
    )


@pytest.mark.gen_test
async def test_sync_answers_a_bounded_number_of_events_and_the_rest_the_next_time(instance, world, monkeypatch):
    monkeypatch.setattr("realtime.stream.sync.SYNC_EVENTS", 10)
    ada, bob = await world.users(2)
    chat_ids = [await world.group(bob, ada) for _ in range(4)]
    node = await instance(replay_page=4)
    client = Client(ada)
    polls = []
    for rounds in range(2):
        while not client.is_synced:
            fields = client.hello()
            del fields["type"]
            polls.append(await node.sync(ada, fields))
            for frame in polls[-1]:
                client.take(frame)
        client.is_synced = False
        for chat_id in chat_ids if not rounds else ():
            for _ in range(9):
                await world.send(bob, chat_id)
    assert client.cursors == dict.fromkeys(chat_ids, 10)
    assert len(polls) == 5 and all(len([frame for frame in poll if frame["type"] == "event"]) <= 14 for poll in polls)


# Stopping


@pytest.mark.gen_test
async def test_draining_tells_every_socket_and_closes_it_within_the_time(healthy, connect, world, server):
    (one,) = await healthy(server.url)
    sockets = [await connect(one, user).hello().synced() for user in await world.users(10)]
    mute = connect(one, sockets[0].client.user_id)
    began = time.monotonic()
    await one.drain(5.0)
    assert 0.15 < time.monotonic() - began < 5
    for socket in sockets:
        socket.take()
        (notice,) = socket.client.of("draining")
        assert notice["retryAfterMs"] >= 200 and socket.code == 1012
    assert mute.code == 1012 and not one.hub.clients
    assert connect(one, sockets[0].client.user_id).code == 1012


@pytest.mark.gen_test
async def test_draining_an_instance_without_sockets_takes_no_time(instance):
    await asyncio.wait_for((await instance()).drain(10.0), 1)


@pytest.mark.gen_test
async def test_a_stopped_instance_leaves_nothing_behind(healthy, server):
    before = set(asyncio.all_tasks())
    clients = int(command(server, "INFO", "clients")["connected_clients"])
    (one,) = await healthy(server.url)
    await one.stop()
    await until(lambda: int(command(server, "INFO", "clients")["connected_clients"]) == clients)
    assert set(asyncio.all_tasks()) <= before


# How it stands


@pytest.mark.gen_test
async def test_the_state_says_how_it_stands(healthy, connect, world, server):
    (one,) = await healthy(server.url)
    chat_id = await world.group(ada := await world.user())
    await connect(one, ada).hello().synced()
    state = one.state()
    assert (state["instance"], state["sockets"], state["watchedChats"], state["draining"]) == ("web.1", 1, 1, False)
    for link in ("publisher", "subscriber"):
        assert state[link]["state"] == "connected" and state[link]["since"].endswith("Z")
    assert state["canary"]["state"] == "heard" and state["heads"]["checkedAt"].endswith("Z")
    assert REGISTRY.get_sample_value("parley_sockets") == 1 and REGISTRY.get_sample_value("parley_watched_chats") == 1
    assert chat_id in one.hub.streams


def test_the_limits_are_the_settings_of_their_names():
    from settings import SETTINGS

    defaults = {row.name.lower(): row.default for row in SETTINGS}
    assert {name: getattr(Limits(), name) for name in Limits.__dataclass_fields__}.items() <= defaults.items()
