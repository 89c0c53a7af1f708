"""Several instances are one Parley: whatever happens on one reaches the sockets of the others, once and in order."""

import asyncio
import contextlib
import random

import pytest

from chat.channels import projections_of
from tests.client import PROJECTIONS, STATES, Stream, User, until
from tests.processes.metrics import metrics

WRITERS, MESSAGES = 8, 500


@pytest.fixture(scope="module")
def parley(module_cluster):
    return module_cluster(instances=3, nginx=False)


@pytest.mark.gen_test
async def test_a_message_sent_to_one_instance_reaches_sockets_of_the_others_in_order(urls, party):
    (ann, ben), chat = await party.group(urls[0], 2)
    streams = [await party.open(user, at) for user in (ann, ben) for at in urls]
    for number in range(30):
        await ann.send(chat, f"message {number}", at=urls[number % 2])
    for stream in streams:
        await stream.until_at(chat, 31)
        assert stream.seqs(chat) == list(range(2, 32))
        assert stream.contents(chat) == [f"message {number}" for number in range(30)]


@pytest.mark.gen_test
async def test_notices_come_to_those_who_ask_for_them_and_never_to_the_sender(urls, party):
    (ann, ben, cid), chat = await party.group(urls[0], 3)
    asking = [await party.open(user, urls[1], channels=[*PROJECTIONS, *STATES]) for user in (ann, ben)]
    other = await party.open(cid, urls[1])
    sent = [await ann.send(chat, f"message {number}") for number in range(5)]
    for stream in (*asking, other):
        await stream.until_at(chat, 6)
        await stream.until(lambda stream=stream: stream is asking[0] or stream.unread.get(chat) == 5)
    expected = [(channel, message["id"]) for message in sent for channel in projections_of("messageAdded")]
    assert [(channel, data["message"]["id"]) for channel, data in asking[1].notices] == expected
    assert asking[0].notices == other.notices == []


@pytest.mark.gen_test
async def test_500_messages_of_8_writers_over_3_instances_have_one_order_without_gap_or_double(urls, party):
    """On sockets that stay as on sockets that are cut at random and come back to whichever instance."""
    people, chat = await party.group(urls[0], WRITERS)
    steady = [await party.open(user, at) for user, at in zip(people, 3 * urls, strict=False)]
    restless = [await party.open(user, random.choice(urls)) for user in people]
    writing = asyncio.Event()

    async def write(user, numbers):
        for number in numbers:
            await user.insist(
                "POST", f"/api/chats/{chat}/messages", {"content": f"message {number}"}, at=random.choice(urls)
            )

    async def disturb(stream: Stream):
        while not writing.is_set():
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(writing.wait(), random.uniform(0.05, 0.4))
            await stream.cut()
            await stream.open(random.choice(urls))

    disturbances = [asyncio.ensure_future(disturb(stream)) for stream in restless]
    await asyncio.gather(*(write(user, range(n, MESSAGES, WRITERS)) for n, user in enumerate(people)))
    writing.set()
    await asyncio.gather(*disturbances)

    for stream in steady + restless:
        await stream.until_at(chat, MESSAGES + 1)
        assert stream.seqs(chat) == list(range(2, MESSAGES + 2))
        assert stream.log[chat] == steady[0].log[chat]
        assert not stream.resets
    assert sorted(steady[0].contents(chat)) == sorted(f"message {number}" for number in range(MESSAGES))
    for number in range(WRITERS):
        texts = [f"message {n}" for n in range(number, MESSAGES, WRITERS)]
        assert [text for text in steady[0].contents(chat) if text in texts] == texts, "each writer's own order"


@pytest.mark.gen_test
async def test_after_a_storm_every_count_and_watermark_is_what_the_database_says(urls, party):
    people, chat = await party.group(urls[0], 4)
    streams = [await party.open(user, at) for user in people for at in urls[:2]]

    async def act(user):
        chosen = random.Random(user.id)
        mine, seen = [], []
        for number in range(40):
            at = chosen.choice(urls)
            what = chosen.choice(["send", "send", "read", "delete", "edit"])
            if what == "send" or not mine:
                mine.append((await user.send(chat, f"{user.name} {number}", at=at))["id"])
            elif what == "read":
                seen = seen or (await user.get(f"/api/chats/{chat}/messages?limit=20", at=at))["items"]
                await user.do("PUT", f"/api/messages/{seen.pop()['id']}/read", at=at)
            elif what == "delete":
                await user.do("DELETE", f"/api/messages/{mine.pop(chosen.randrange(len(mine)))}", at=at)
            else:
                await user.do(
                    "PATCH", f"/api/messages/{chosen.choice(mine)}", {"content": f"{user.name} {number}, edited"}, at=at
                )

    await asyncio.gather(*map(act, people))

    head = await people[0].head(chat)
    watermarks = (await people[0].get(f"/api/chats/{chat}"))["watermarks"]
    expected = {(chat, mark["userId"]): mark["seq"] for mark in watermarks if mark["messageId"]}
    for stream in streams:
        unread = (await stream.user.get(f"/api/unread/{chat}"))["unreadCount"]
        await stream.until_at(chat, head)
        await stream.until(lambda s=stream, n=unread: s.unread.get(chat, 0) == n, 5, f"unread count {unread}")
        await stream.until(lambda s=stream: expected.items() <= s.watermarks.items(), 5, f"watermarks {expected}")
        total = await stream.user.get("/api/unread")
        assert total["total"] == sum(item["unreadCount"] for item in total["items"])


@pytest.mark.gen_test
async def test_a_participant_removed_on_another_instance_gets_nothing_committed_afterwards(urls, party):
    people, chat = await party.group(urls[0], 4)
    ann, ben, *writers = people
    sockets = [await party.open(ben, at) for at in urls]
    watching = await party.open(ann, urls[2])
    removed = asyncio.Event()

    async def write(user, at):
        number = 0
        while not removed.is_set() or number % 20:
            await user.send(chat, f"message {number}", at=at)
            number += 1

    writing = [asyncio.ensure_future(write(user, at)) for user, at in zip(writers, urls[1:], strict=True)]
    await watching.until(lambda: len(watching.contents(chat)) > 20)
    removal = await ann.do("DELETE", f"/api/chats/{chat}/participants/{ben.id}")
    removed.set()
    await asyncio.gather(*writing)
    await watching.until_at(chat, await ann.head(chat))
    for socket in sockets:
        await socket.until(lambda socket=socket: socket.leaves, 3, "left")
        assert socket.seqs(chat)[-1] <= removal.seq < watching.cursors[chat]
        assert chat not in socket.cursors
    assert (await ben.request("GET", f"/api/chats/{chat}", at=urls[1])).code == "not_found"

    # Back again: from the joining on, and what was said meanwhile is history
    added = await writers[0].do("POST", f"/api/chats/{chat}/participants", {"userIds": [ben.id]}, at=urls[2])
    after = await ann.send(chat, "Welcome back", at=urls[1])
    for socket in sockets:
        await socket.until_at(chat, after["seq"])
        assert [frame["seq"] for frame in socket.joins] == [added.seq - 1]
        assert socket.seqs(chat)[-2:] == [added.seq, after["seq"]]
        await socket.until(lambda socket=socket: socket.unread.get(chat) == 1, 2, "the count since joining")


@pytest.mark.gen_test
async def test_a_new_chat_reaches_its_people_wherever_they_are_and_a_deleted_one_leaves_them(urls, party):
    ann, ben, cid = await party.users(urls[0], 3)
    sockets = [await party.open(user, at) for user, at in zip((ann, ben, cid), urls, strict=True)]
    chat = await ann.group(ben, at=urls[2])
    message = await ben.send(chat, at=urls[0])
    for socket in sockets[:2]:
        await socket.until_at(chat, message["seq"])
        assert socket.joins == [{"type": "joined", "chatId": chat, "seq": 0}]
        assert [channel for _, channel, _ in socket.log[chat]] == ["chatAdded", "messageAdded"]
    gone = await ann.do("DELETE", f"/api/chats/{chat}", at=urls[1])
    for socket in sockets[:2]:
        await socket.until(lambda socket=socket: socket.leaves == [{"type": "left", "chatId": chat}])
        seq, channel, data = socket.log[chat][-1]
        assert (seq, channel, data["participantIds"]) == (gone.seq, "chatUpdated", [])
    assert chat not in sockets[2].log and not sockets[2].joins


@pytest.mark.gen_test
async def test_signing_out_closes_the_sockets_of_that_session_on_another_instance(urls, party):
    (ann,) = await party.users(urls[0], 1)
    session = await ann.sign_in()
    ended, staying = await party.open(session, urls[1]), await party.open(ann, urls[1])
    assert (await session.request("POST", "/api/sign-out")).status == 204
    await ended.until_closed(4401, 2)
    refused = session.stream()
    party.track(refused)
    await refused.open(urls[0])
    await refused.until_closed(4401, 2)
    await until(lambda: _is_signed_out(session, urls[1]), 2.5, "401 of an instance that knew the session")
    staying.write({"type": "ping"})
    await staying.until(lambda: staying.of_type("pong"))


@pytest.mark.parametrize("how", ["one of them", "all others", "a new password"])
@pytest.mark.gen_test
async def test_ending_another_session_closes_its_sockets_on_every_instance(urls, how):
    ann = await User.sign_up(urls[0])
    other = await ann.sign_in()
    streams = [session.stream() for session in (other, other, ann)]
    try:
        for stream, at in zip(streams, (urls[0], urls[1], urls[1]), strict=True):
            await stream.open(at)
            await stream.until_synced()
        if how == "one of them":
            (id,) = [one["id"] for one in (await ann.get("/api/sessions"))["items"] if not one["current"]]
            await ann.do("DELETE", f"/api/sessions/{id}")
        elif how == "all others":
            await ann.do("DELETE", "/api/sessions")
        else:
            await ann.do(
                "PUT", "/api/me/password", {"currentPassword": ann.password, "newPassword": "another long enough one"}
            )
        *ended, staying = streams
        for stream in ended:
            await stream.until_closed(4401, 2)
        for at in urls[:2]:
            await until(
                lambda at=at: _is_signed_out(other, at), 2.5, "401 of an instance that may have known the session"
            )
        staying.write({"type": "ping"})
        await staying.until(lambda: staying.of_type("pong"))
    finally:
        for stream in streams:
            await stream.close()


async def _is_signed_out(user, at):
    return (await user.request("GET", "/api/me", at=at)).code == "not_signed_in"


@pytest.mark.gen_test
async def test_typing_is_told_to_the_others_at_most_once_in_3_seconds(urls, party):
    (ann, ben, cid), chat = await party.group(urls[0], 3)
    other = await ann.group(ben)
    typing = await party.open(ann, urls[0])
    hearing = [await party.open(ben, urls[0]), await party.open(ben, urls[1]), await party.open(cid, urls[2])]
    for _ in range(5):
        typing.write({"type": "typing", "chatId": chat})
    typing.write({"type": "typing", "chatId": other})
    for stream, chats in zip(hearing, ([chat, other], [chat, other], [chat]), strict=True):
        await stream.until(lambda s=stream, n=len(chats): len(s.of_type("typing")) == n)
        assert [frame["chatId"] for frame in stream.of_type("typing")] == chats
        assert {frame["userId"] for frame in stream.of_type("typing")} == {ann.id}
    assert not typing.of_type("typing")
    hearing[2].write({"type": "typing", "chatId": other})
    await hearing[2].until(lambda: hearing[2].of_type("error"))
    assert hearing[2].of_type("error")[0]["error"]["code"] == "not_found"


@pytest.mark.gen_test
async def test_the_metrics_of_each_instance_tell_what_it_did(urls, party):
    before = [await metrics(url) for url in urls]
    (ann, ben), chat = await party.group(urls[0], 2)
    stream = await party.open(ben, urls[1])
    await ann.send(chat)
    await stream.until_at(chat, 2)
    await stream.cut()
    await ann.send(chat)
    await stream.open(urls[2])
    await stream.until_at(chat, 3)
    moved = [
        {name: value - old.get(name, 0) for name, value in (await metrics(url)).items()}
        for url, old in zip(urls, before, strict=True)
    ]
    assert moved[0]['parley_events_published_total{channel="messageAdded"}'] == 2
    assert moved[1]['parley_events_received_total{channel="messageAdded"}'] == 2
    assert moved[1]['parley_deliveries_total{channel="messageAdded"}'] == 1
    assert moved[2]["parley_resumes_total"] == 1
    assert moved[2]["parley_replayed_events_total"] == 1
    assert all(values["parley_gaps_total"] == 0 for values in moved)
