"""What a socket may not do, and what happens to one that does not read: each end has its code, and nothing is lost by it."""

import asyncio
import json
import uuid

import pytest

from tests.client import NO_ANSWER, User, request, until
from tests.processes.metrics import metrics

MOST_SOCKETS = 6
BUFFER = 256 * 1024
NEVER = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def parley(module_cluster):
    settings = {"HELLO_SECONDS": "1", "SOCKET_STALL_SECONDS": "2", "MAX_SOCKETS_PER_USER": str(MOST_SOCKETS)}
    return module_cluster(instances=2, env=settings)


@pytest.fixture
def url(parley):
    return parley.instances[0].url


async def connected(party, user, url, **options):
    """A socket that has not said hello."""
    stream = user.stream()
    party.track(stream)
    return await stream.open(url, hello=False, **options)


@pytest.mark.parametrize(
    "frame",
    [
        "not JSON", "", "null", "[]", '"hello"', b"binary", "[" * 5000, '{"type": "hello"', {}, {"type": 1}, {"type": "unheard-of"},
        {"type": "ping"}, {"type": "typing", "chatId": NEVER},
        {"type": "hello", "epoch": 1}, {"type": "hello", "cursors": []},
        {"type": "hello", "cursors": {"x": 1}}, {"type": "hello", "cursors": {NEVER: -1}}, {"type": "hello", "cursors": {NEVER: 1.5}},
        {"type": "hello", "cursors": {NEVER: True}}, {"type": "hello", "cursors": {NEVER: 2**63}},
        {"type": "hello", "channels": "messageReadUpdated"}, {"type": "hello", "channels": [1]},
        {"type": "hello", "since": "yesterday"}, {"type": "hello", "since": 0}, {"type": "hello", "since": "2026-11-23T10:12:00"},
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.gen_test
async def test_a_first_frame_that_is_no_hello_closes_with_4400(frame, party, url):
    (ann,) = await party.users(url, 1)
    stream = await connected(party, ann, url)
    stream.write(frame)
    await stream.until_closed(4400)
    (error,) = stream.of_type("error")
    assert error["error"]["code"] == "invalid_value" and error["error"]["message"]


@pytest.mark.gen_test
async def test_a_second_hello_and_garbage_on_an_open_stream_close_with_4400(party, url):
    (ann,) = await party.users(url, 1)
    for frame in (
        {"type": "hello"},
        {"type": "typing"},
        {"type": "typing", "chatId": 1},
        "garbage",
        b"\x00",
    ):
        stream = await party.open(ann, url)
        stream.write(frame)
        await stream.until_closed(4400)


@pytest.mark.gen_test
async def test_no_hello_in_time_closes_with_4408(party, url):
    (ann,) = await party.users(url, 1)
    stream = await connected(party, ann, url)
    await stream.until_closed(4408, 3)


@pytest.mark.gen_test
async def test_frames_too_fast_close_with_4429(party, url):
    (ann,) = await party.users(url, 1)
    stream = await party.open(ann, url)
    for _ in range(100):
        stream.write({"type": "ping"})
    await stream.until_closed(4429)
    assert len(stream.of_type("pong")) < 60


@pytest.mark.gen_test
async def test_one_socket_too_many_closes_with_4409_and_the_others_stay(party, url):
    (ann,) = await party.users(url, 1)
    streams = [await party.open(ann, url) for _ in range(MOST_SOCKETS)]
    late = await connected(party, ann, url)
    await late.until_closed(4409)
    await streams[0].cut()
    await until(lambda: _opens(party, ann, url), 3, "room for another")
    for stream in streams[1:]:
        stream.write({"type": "ping"})
        await stream.until(lambda stream=stream: stream.of_type("pong"))


async def _opens(party, user, url):
    stream = await connected(party, user, url)
    stream.write({"type": "hello"})
    await stream.until(lambda: stream.synced or not stream.connected, 2)
    return stream.synced


@pytest.mark.gen_test
async def test_a_frame_larger_than_32_kib_closes_with_1009_and_one_of_32_kib_is_read(party, url):
    (ann,) = await party.users(url, 1)
    stream = await party.open(ann, url)
    ping = json.dumps({"type": "ping"})
    stream.write(ping + " " * (32 * 1024 - len(ping)))
    await stream.until(lambda: stream.of_type("pong"))
    stream.write(ping + " " * (32 * 1024 - len(ping) + 1))
    await stream.until_closed(1009)


@pytest.mark.gen_test
async def test_without_a_session_the_socket_is_accepted_and_closed_with_4401(party, parley):
    nobody = User(parley.url, {"id": NEVER, "username": "nobody"}, "", "")
    stranger = User(parley.url, {"id": NEVER, "username": "stranger"}, "made up", "")
    for user in (nobody, stranger):
        stream = await connected(party, user, parley.url)
        await stream.until_closed(4401)


@pytest.mark.gen_test
async def test_another_sites_page_gets_no_socket_and_our_own_does_also_through_nginx(party, parley, url):
    (ann,) = await party.users(url, 1)
    for at in (url, parley.url):
        for origin in ("http://evil.example", at.replace("http", "https"), f"{at}1", "null"):
            with pytest.raises(NO_ANSWER) as refused:
                await connected(party, ann, at, headers={"Origin": origin})
            assert refused.value.code == 403
        await party.open(ann, at, headers={"Origin": at})
    # As a browser has it: by cookie
    signed_in = await request(parley.url, "POST", "/api/sign-in", {"username": ann.name, "password": ann.password})
    cookie = "; ".join(line.partition(";")[0] for line in signed_in.headers.get_list("Set-Cookie"))
    browser = User(parley.url, {"id": ann.id, "username": ann.name}, "", "")
    await party.open(browser, headers={"Origin": parley.url, "Cookie": cookie})


# Those who do not read


SLOW = 'parley_detached_total{reason="slow"}'


async def fill(user, chat, url) -> float:
    """Send to someone who does not read until their socket is left out, and some more; the most that was queued for them."""
    before, most, sent = await metrics(url), 0, 0
    while not await _more(url, SLOW, before):
        assert sent < 20_000_000, "it takes and takes"
        await asyncio.gather(*(user.send(chat, "\N{BLACK STAR}" * 8000) for _ in range(10)))
        sent += 10 * 24_000
        most = max(most, (await metrics(url))["parley_queue_bytes"])
    for _ in range(20):
        await user.send(chat, "\N{BLACK STAR}" * 8000)
    return max(most, (await metrics(url))["parley_queue_bytes"])


@pytest.mark.gen_test
async def test_a_slow_reader_costs_bounded_memory_and_has_everything_when_it_reads_again(url, party):
    (ann, ben), chat = await party.group(url, 2)
    slow, quick = await party.open(ben, url), await party.open(ben, url)
    for _ in range(2):
        slow.hold()
        assert 0 < await fill(ann, chat, url) < BUFFER + 64 * 1024
        slow.release()
        await slow.until(lambda n=len(slow.frames): len(slow.frames) > n + 20)
    head = await ann.head(chat)
    for stream in (quick, slow):
        await stream.until_at(chat, head, 10)
        assert stream.seqs(chat) == list(range(2, head + 1))
        assert len(stream.of_type("welcome")) == 1
    assert slow.log[chat] == quick.log[chat]
    await slow.until(lambda: slow.unread.get(chat) == quick.unread[chat] == head - 1, 3, "the count")


@pytest.mark.gen_test
async def test_a_reader_that_takes_nothing_is_closed_and_comes_back_to_everything(parley, url, party):
    (ann, ben), chat = await party.group(url, 2)
    stalled = await party.open(ben, url)
    stalled.hold()
    before = await metrics(url)
    await fill(ann, chat, url)
    await until(lambda: _more(url, 'parley_socket_closes_total{code="1013"}', before), 8, "closed")
    await until(lambda: _fewer_sockets(url, before), 8, "gone")
    stalled.release()
    await stalled.until(lambda: not stalled.connected, 10)
    head = await ann.head(chat)
    assert stalled.cursors[chat] < head
    await stalled.open(parley.instances[1].url)
    await stalled.until_at(chat, head, 10)
    assert stalled.seqs(chat) == list(range(2, head + 1))


async def _more(url, name, than):
    return (await metrics(url)).get(name, 0) > than.get(name, 0)


async def _fewer_sockets(url, before):
    now = await metrics(url)
    return now["parley_sockets"] < before["parley_sockets"] and now["parley_queue_bytes"] == 0


@pytest.mark.gen_test
async def test_a_socket_whose_other_end_is_gone_without_a_word_is_dropped(parley, party):
    """It answers no ping: nobody is there any more."""
    instance = parley.instances[1]
    instance.kill()
    instance.settings["PING_SECONDS"] = "0.5"
    await asyncio.to_thread(instance.start)
    (ann,) = await party.users(parley.instances[0].url, 1)
    lively = await party.open(ann, instance.url)
    for _ in range(2):  # the lively one outlives its own first ping, and has answered it, when the second is dropped
        silent = await party.open(ann, instance.url)
        silent.hold()
        await until(lambda: _sockets(instance.url, 1), 10, "the silent one is dropped")
    lively.write({"type": "ping"})
    await lively.until(lambda: lively.of_type("pong"))


async def _sockets(url, count):
    return (await metrics(url))["parley_sockets"] == count


@pytest.mark.gen_test
async def test_who_is_in_thousands_of_chats_can_bring_a_cursor_for_each(url, party):
    """Ten times what fits a later frame or another body."""
    (ann,) = await party.users(url, 1)
    stream, poll = await party.open(ann, url), ann.poll()
    await poll.sync()
    await stream.cut()
    chats = {str(uuid.uuid4()): number for number in range(7000)}
    for client in (stream, poll):
        client.cursors |= chats
    await stream.open(url)
    await stream.until_synced()
    await poll.sync()
    for client in (stream, poll):
        assert {frame["chatId"] for frame in client.leaves} == set(chats)


@pytest.mark.gen_test
async def test_a_hello_larger_than_the_longest_list_of_chats_closes_with_1009(url, party):
    (ann,) = await party.users(url, 1)
    stream = await connected(party, ann, url)
    stream.write(json.dumps({"type": "hello"}) + " " * 640_000)
    await stream.until_closed(1009)
