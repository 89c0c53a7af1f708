"""The two connections to a real Valkey: killed, frozen, silent and back; each for itself."""

import asyncio
import logging
import subprocess
import time

import pytest
import redis

from metrics import REGISTRY
from realtime.bus import connections
from realtime.bus.connections import Publisher, Subscriber
from tests.realtime.proxy import Proxy
from tests.realtime.sockets import until


@pytest.fixture
def server(valkey):
    """The Valkey of this test process, running again after each test."""
    yield valkey
    valkey.thaw()
    valkey.start()
    with redis.Redis.from_url(valkey.url) as client:
        client.config_set("requirepass", "")
        client.execute_command("CONFIG", "RESETSTAT")


@pytest.fixture
def links(io_loop):
    """`links.publisher(url)`, `links.subscriber(url)`: started, and stopped at the end of the test."""

    class Links:
        started = []

        def publisher(self, url, **options) -> Publisher:
            return self._start(Publisher(url, **options))

        def subscriber(self, url, channels=("one", "two"), **options) -> Subscriber:
            heard, ups = [], []
            link = Subscriber(url, channels, lambda *message: heard.append(message), lambda: ups.append(1), **options)
            link.heard, link.ups = heard, ups
            return self._start(link)

        def _start(self, link):
            self.started.append(link)
            link.start()
            return link

    links = Links()
    yield links
    for link in links.started:
        io_loop.run_sync(link.stop)
    links.started.clear()


@pytest.fixture
def proxy(io_loop, server):
    proxy = io_loop.run_sync(Proxy(server.url).start)
    yield proxy
    io_loop.run_sync(proxy.stop)


def command(server, *words):
    with redis.Redis.from_url(server.url) as client:
        return client.execute_command(*words)


def counted(name, **labels):
    return REGISTRY.get_sample_value(f"parley_{name}_total", labels) or 0


async def up(*links):
    for link in links:
        await until(lambda link=link: link.up, 10)


# While all is well


@pytest.mark.gen_test
async def test_what_is_published_is_heard_on_its_channel_and_in_order(server, links):
    publisher, subscriber = links.publisher(server.url), links.subscriber(server.url)
    await up(publisher, subscriber)
    before = counted("events_published", channel="one")
    sent = [(("one", "two", "three")[number % 3], b"%d" % number) for number in range(3000)]
    for start in range(0, 3000, 30):
        assert publisher.publish(sent[start : start + 30])
        if start % 7 == 0:
            await asyncio.sleep(0)
    heard = [message for message in sent if message[0] != "three"]
    await until(lambda: len(subscriber.heard) >= len(heard))
    assert subscriber.heard == heard
    await until(lambda: counted("events_published", channel="one") - before == 1000)


@pytest.mark.gen_test
async def test_what_comes_while_a_round_trip_is_under_way_leaves_together(server, links, proxy):
    publisher, subscriber = links.publisher(proxy.url), links.subscriber(server.url)
    await up(publisher, subscriber)
    for number in range(100):
        publisher.publish([("one", b"%d" % number)])
    await until(lambda: len(subscriber.heard) == 100)
    together = [data.count(b"PUBLISH") for data in proxy.sent if b"PUBLISH" in data]
    assert sum(together) == 100 and len(together) <= 3


def test_the_report_says_how_it_stands():
    publisher = Publisher("redis://127.0.0.1:1/0")
    report = publisher.report()
    assert report == {
        "state": "connecting",
        "since": pytest.approx(time.time(), abs=5),
        "attempts": 0,
        "lastError": None,
    }


@pytest.mark.gen_test
async def test_stopping_ends_it_whatever_it_is_doing(server):
    for number in range(80):
        publisher = Publisher(server.url)
        publisher.start()
        if number % 10:
            await up(publisher)
        for _ in range(number % 37):
            publisher.publish([("one", b"x")])
            await asyncio.sleep(0)
        await asyncio.wait_for(publisher.stop(), 5)


# The publisher


@pytest.mark.gen_test
async def test_what_is_said_in_the_moment_of_a_new_connection_is_said_once(server, links, monkeypatch):
    """On Python 3.11 and older, `wait_for` lets others run between the connection and what follows it."""
    publisher, subscriber = links.publisher(server.url), links.subscriber(server.url)
    await up(publisher, subscriber)
    before = counted("events_published", channel="one"), counted("publish_failures", channel="one")
    wait_for = asyncio.wait_for

    async def letting_others_run(work, seconds):
        result = await wait_for(work, seconds)
        publisher.publish([("one", b"in the gap")])
        await asyncio.sleep(0)
        return result

    monkeypatch.setattr(connections.asyncio, "wait_for", letting_others_run)
    command(server, "CLIENT", "KILL", "TYPE", "normal")
    await until(lambda: subscriber.heard)
    publisher.publish([("one", b"after it")])
    await until(lambda: len(subscriber.heard) == 2)
    assert [payload for _, payload in subscriber.heard] == [b"in the gap", b"after it"]
    await until(lambda: counted("events_published", channel="one") == before[0] + 2)
    assert counted("publish_failures", channel="one") == before[1] and publisher.up


@pytest.mark.gen_test
async def test_while_redis_is_down_publishing_fails_at_once_and_nothing_is_kept(server, links, monkeypatch):
    monkeypatch.setattr(connections, "COMMAND_SECONDS", 0.3)
    publisher, lost = links.publisher(server.url), counted("publish_failures", channel="one")
    await up(publisher)
    server.kill()
    publisher.publish([("one", b"on its way")])
    await until(lambda: not publisher.up)
    assert counted("publish_failures", channel="one") - lost == 1
    before = counted("publish_failures", channel="two")
    began = time.perf_counter()
    for _ in range(1000):
        assert publisher.publish([("two", b"refused")]) is False
    assert time.perf_counter() - began < 1
    assert counted("publish_failures", channel="two") - before == 1000
    server.start()
    subscriber = links.subscriber(server.url)
    await up(publisher, subscriber)
    assert publisher.publish([("two", b"taken")])
    await until(lambda: subscriber.heard)
    assert subscriber.heard == [("two", b"taken")]


@pytest.mark.gen_test
async def test_a_batch_whose_connection_broke_is_sent_once_more_on_a_new_one(server, links):
    downs = []
    publisher, subscriber = links.publisher(server.url, on_down=lambda: downs.append(1)), links.subscriber(server.url)
    await up(publisher, subscriber)
    since = publisher.since
    for number in range(3):
        command(server, "CLIENT", "KILL", "TYPE", "normal")
        publisher.publish([("one", b"%d" % number), ("two", b"%d" % number)])
        await until(lambda number=number: len(subscriber.heard) >= 2 * (number + 1))
    assert set(subscriber.heard) == {(channel, b"%d" % number) for channel in ("one", "two") for number in range(3)}
    assert (publisher.state, publisher.since, publisher.attempts, downs) == ("connected", since, 0, [])


@pytest.mark.gen_test
async def test_what_is_published_while_a_lost_connection_is_made_anew_leaves_with_the_new_one(
    server, links, monkeypatch
):
    publisher, subscriber = links.publisher(server.url), links.subscriber(server.url)
    await up(publisher, subscriber)
    connect = publisher._endpoint.connect

    async def meanwhile(connection):
        publisher.publish([("one", b"meanwhile")])
        await connect(connection)

    monkeypatch.setattr(publisher._endpoint, "connect", meanwhile)
    command(server, "CLIENT", "KILL", "TYPE", "normal")
    await until(lambda: subscriber.heard)
    assert subscriber.heard == [("one", b"meanwhile")] and publisher.up and publisher.last_error is None


@pytest.mark.gen_test
async def test_a_redis_that_does_not_answer_is_down_after_two_tries(server, links, monkeypatch):
    monkeypatch.setattr(connections, "COMMAND_SECONDS", 0.2)
    monkeypatch.setattr(connections, "CONNECT_SECONDS", 0.5)
    publisher = links.publisher(server.url)
    await up(publisher)
    server.freeze()
    publisher.publish([("one", b"unanswered")])
    await until(lambda: not publisher.up)
    assert publisher.last_error == "TimeoutError"
    assert not publisher.publish([("one", b"refused")])
    server.thaw()
    await up(publisher)


@pytest.mark.gen_test
async def test_more_than_so_much_is_not_kept_while_a_round_trip_takes_long(server, links, monkeypatch):
    monkeypatch.setattr(connections, "MAX_PENDING", 50)
    publisher = links.publisher(server.url)
    await up(publisher)
    server.freeze()
    taken = 0
    while publisher.publish([("one", b"x")] * 10):
        taken += 1
        await asyncio.sleep(0)
    assert 5 <= taken <= 8
    server.thaw()
    await until(lambda: publisher.publish([("one", b"x")]))


@pytest.mark.gen_test
async def test_reconnecting_is_counted_and_logged_and_goes_on_until_it_succeeds(server, links, caplog):
    caplog.set_level(logging.INFO, "parley.redis")
    pauses, downs = [], []
    publisher = links.publisher(
        server.url, wait=lambda attempt: pauses.append(attempt) or 0.01, on_down=lambda: downs.append(1)
    )
    await up(publisher)
    before = counted("redis_reconnects", connection="publisher")
    server.kill()
    publisher.publish([("one", b"x")])
    await until(lambda: publisher.attempts >= 25)
    assert publisher.report()["state"] == "reconnecting" and publisher.report()["lastError"] == "ConnectionRefusedError"
    assert REGISTRY.get_sample_value("parley_redis_up", {"connection": "publisher"}) == 0
    server.start()
    await up(publisher)
    assert publisher.attempts == 0 and downs == [1]
    assert pauses == list(range(1, len(pauses) + 1))
    assert counted("redis_reconnects", connection="publisher") - before == len(pauses)
    assert REGISTRY.get_sample_value("parley_redis_up", {"connection": "publisher"}) == 1
    logged = [record.args[1] for record in caplog.records if "attempt" in record.msg]
    assert logged[:11] == [*range(1, 11), 20]  # an outage of an hour is not 2,000 lines


@pytest.mark.gen_test
async def test_it_starts_before_its_redis_does(server, links):
    server.kill()
    publisher, subscriber = links.publisher(server.url), links.subscriber(server.url)
    await until(lambda: publisher.attempts and subscriber.attempts)
    assert not publisher.publish([("one", b"x")])
    server.start()
    await up(publisher, subscriber)


# The subscriber


@pytest.mark.gen_test
async def test_a_subscriber_whose_redis_was_killed_subscribes_again_and_says_so(server, links):
    publisher, subscriber = links.publisher(server.url), links.subscriber(server.url)
    await up(publisher, subscriber)
    for times in (1, 2):
        server.kill()
        await until(lambda: not subscriber.up)
        server.start()
        await up(subscriber)
        await until(lambda: publisher.publish([("two", b"again")]))
        await until(lambda times=times: subscriber.heard.count(("two", b"again")) >= times)
        assert len(subscriber.ups) == times + 1


@pytest.mark.gen_test
async def test_a_subscriber_whose_connection_alone_is_killed_comes_back_and_the_publisher_notices_nothing(
    server, links
):
    publisher, subscriber = links.publisher(server.url), links.subscriber(server.url)
    await up(publisher, subscriber)
    before = publisher.report()
    for times in (1, 2, 3):
        command(server, "CLIENT", "KILL", "TYPE", "pubsub")
        await until(lambda times=times: len(subscriber.ups) == times + 1)
        assert publisher.publish([("one", b"%d" % times)])
        await until(lambda times=times: ("one", b"%d" % times) in subscriber.heard)
    assert publisher.report() == before


@pytest.mark.gen_test
async def test_a_publisher_whose_connections_die_leaves_the_subscriber_as_it_is(server, links, proxy, monkeypatch):
    monkeypatch.setattr(connections, "COMMAND_SECONDS", 0.2)
    monkeypatch.setattr(connections, "CONNECT_SECONDS", 0.5)
    publisher, subscriber = links.publisher(proxy.url), links.subscriber(proxy.url)
    await up(publisher, subscriber)
    before = subscriber.report()
    proxy.silence("publisher")
    publisher.publish([("one", b"into the void")])
    await until(lambda: publisher.attempts >= 2)
    command(server, "PUBLISH", "one", "from another")
    await until(lambda: subscriber.heard == [("one", b"from another")])
    assert subscriber.report() == before and len(subscriber.ups) == 1


@pytest.mark.gen_test
async def test_a_rebuilt_subscriber_hears_on_a_new_connection_and_closes_the_old_one(server, links, proxy):
    subscriber = links.subscriber(proxy.url)
    await up(subscriber)
    proxy.silence_present("subscriber")
    subscriber.rebuild("the test said so")
    subscriber.rebuild("twice")
    assert not subscriber.up
    await up(subscriber)
    command(server, "PUBLISH", "one", "heard")
    await until(lambda: subscriber.heard)
    await until(lambda: proxy.count("subscriber") == 1)
    assert command(server, "PUBSUB", "NUMSUB", "one") == [b"one", 1]


@pytest.mark.gen_test
async def test_a_subscriber_that_is_not_answered_tries_again(server, links, proxy, monkeypatch):
    monkeypatch.setattr(connections, "CONNECT_SECONDS", 0.2)
    proxy.silence("subscriber")
    subscriber = links.subscriber(proxy.url)
    await until(lambda: subscriber.attempts >= 2)
    assert not subscriber.ups and subscriber.last_error == "TimeoutError"
    proxy.heal()
    await up(subscriber)


# Addresses


@pytest.mark.gen_test
async def test_a_password_in_the_url_is_used_and_a_wrong_one_is_told_without_being_shown(server, links, caplog):
    command(server, "ACL", "SETUSER", "parley", "on", ">s3cret", "&*", "+@all")
    caplog.set_level(logging.DEBUG)
    right, wrong = (server.url.replace("//", f"//parley:{password}@") for password in ("s3cret", "gu3ss"))
    publisher, subscriber, refused = links.publisher(right), links.subscriber(right), links.publisher(wrong)
    await up(publisher, subscriber)
    publisher.publish([("one", b"x")])
    await until(lambda: subscriber.heard)
    await until(lambda: refused.attempts)
    assert refused.last_error == "AuthenticationError"
    assert "s3cret" not in caplog.text and "gu3ss" not in caplog.text
    command(server, "ACL", "DELUSER", "parley")


@pytest.mark.gen_test
async def test_tls_is_spoken_and_a_self_signed_certificate_is_taken_only_where_that_was_asked_for(
    server, links, tmp_path
):
    certificate, private = tmp_path / "certificate", tmp_path / "key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=somebody else", "-days", "2",
                    "-keyout", private, "-out", certificate], check=True, capture_output=True)  # fmt: skip
    proxy = await Proxy(server.url).start(certificate, private)
    try:
        lax = [links.publisher(proxy.url, verify_tls=False), links.subscriber(proxy.url, verify_tls=False)]
        strict = links.publisher(proxy.url)
        await up(*lax)
        lax[0].publish([("one", b"encrypted")])
        await until(lambda: lax[1].heard == [("one", b"encrypted")])
        # More than one TLS record, read together: asyncio fills the buffer in pieces.
        many = [("two", b"%d " % number * 1000) for number in range(200)]
        lax[0].publish(many)
        await until(lambda: len(lax[1].heard) > 200)
        assert lax[1].heard[1:] == many and lax[0].up and lax[1].up and not lax[1].last_error
        await until(lambda: strict.attempts)
        assert strict.last_error == "SSLCertVerificationError" and not strict.up
    finally:
        await proxy.stop()


@pytest.mark.parametrize(
    "url",
    [
        "redis://h",
        "redis://:p@h:1/2",
        "rediss://u:p@h:1",
        "unix:///tmp/s?db=1",
        "unix://u:p@/tmp/s",
        "redis://[::1]:1/0",
    ],
)
def test_every_kind_of_url_can_be_given_to_either(url):
    for link in (Publisher(url), Subscriber(url, ["one"], print, print)):
        assert link.state == "connecting"


@pytest.mark.gen_test
async def test_the_options_of_a_url_are_followed(server, links):
    for url in (f"{server.url}?client_name=by-name", f"{server.url.rpartition('/')[0]}/3?client_name=by-name"):
        publisher, subscriber = links.publisher(url), links.subscriber(url)
        await up(publisher, subscriber)
    named = [line for line in command(server, "CLIENT", "LIST").splitlines() if b" name=by-name " in line + b" "]
    assert sorted(line.partition(b" db=")[2][:2] for line in named) == [b"0 ", b"0 ", b"3 ", b"3 "]


@pytest.mark.gen_test
async def test_a_unix_socket_is_connected_to(server, links, tmp_path):
    path = tmp_path / "redis"

    async def passed_on(reader, writer):
        there = await asyncio.open_connection("127.0.0.1", server.port)

        async def passing(source, target):
            while data := await source.read(2**16):
                target.write(data)
            target.close()

        await asyncio.gather(passing(reader, there[1]), passing(there[0], writer))

    listening = await asyncio.start_unix_server(passed_on, path)
    publisher, subscriber = links.publisher(f"unix://{path}?db=1"), links.subscriber(f"unix://{path}")
    await up(publisher, subscriber)
    publisher.publish([("one", b"through a file")])
    await until(lambda: subscriber.heard == [("one", b"through a file")])
    await publisher.stop()
    await subscriber.stop()
    listening.close()


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("redis://h?colour=blue", "colour"),
        ("redis://h?timeout=3", "timeout"),
        ("rediss://h?ssl_ca_certs=/nowhere", "No such file"),
        ("rediss://h?ssl_cert_reqs=perhaps", "perhaps"),
    ],
)
def test_an_option_that_cannot_be_used_is_refused_at_once_and_named(url, named):
    with pytest.raises(ValueError, match=named):
        Publisher(url)


@pytest.mark.gen_test
async def test_what_does_not_speak_redis_ends_the_connection_and_is_tried_again(links):
    async def greeted(reader, writer):
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    listening = await asyncio.start_server(greeted, "127.0.0.1", 0)
    publisher = links.publisher(f"redis://127.0.0.1:{listening.sockets[0].getsockname()[1]}")
    await until(lambda: publisher.attempts >= 2)
    assert publisher.last_error == "InvalidResponse" and not publisher.up
    listening.close()


@pytest.mark.parametrize("url", ["", "localhost:6379", "http://localhost"])
def test_what_is_no_redis_url_is_refused_at_once(url):
    with pytest.raises(ValueError):
        Publisher(url)
