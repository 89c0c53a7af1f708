"""Breaking things: only with `DEMO`, and each as it says."""

import time

import pytest
import redis

from realtime.activity import demo


@pytest.fixture(scope="module")
def open_house(serve):
    return serve(DEMO="true")


def eventually(condition):
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    "body",
    [{"what": "dropSockets"}, {"what": "kill", "instance": "web.1"}, {"what": "disorder"}, {"what": "nonsense"}],
    ids=lambda body: body["what"],
)
def test_without_demo_there_is_nothing(served, body):
    assert served.user().post("/api/demo/break", body).refusal == (404, "not_found")
    assert served.node.demo is None and not isinstance(served.node._publisher, demo.DisorderlyPublisher)


def test_it_is_for_who_is_signed_in(open_house):
    assert open_house.client().post("/api/demo/break", {"what": "pauseRedis"}).refusal == (401, "not_signed_in")
    browser = open_house.browser()
    del browser.headers["X-Xsrftoken"]
    assert browser.post("/api/demo/break", {"what": "disorder"}).refusal == (403, "xsrf_failed")


@pytest.mark.parametrize(
    "body",
    [{}, {"what": "explode"}, {"what": "kill"}, {"what": "kill", "instance": 7}, {"what": "disorder", "seconds": 9}],
    ids=str,
)
def test_what_cannot_be_broken_is_refused(open_house, body):
    assert open_house.user().post("/api/demo/break", body).refusal == (400, "invalid_value")


def test_redis_is_paused(open_house, valkey):
    with redis.Redis.from_url(valkey.url) as client:
        try:
            assert open_house.user().post("/api/demo/break", {"what": "pauseRedis"}).status == 204
            # It answers no command but the one that ends the pause.
            with redis.Redis.from_url(valkey.url, socket_timeout=0.3) as impatient, pytest.raises(redis.TimeoutError):
                impatient.execute_command("PUBLISH", "anything", "anything")
        finally:
            client.execute_command("CLIENT", "UNPAUSE")
    eventually(lambda: not open_house.node.degraded)


def test_the_publisher_is_in_disorder_for_some_seconds(open_house, monkeypatch):
    assert open_house.user().post("/api/demo/break", {"what": "disorder"}).status == 204
    left = open_house.node._publisher.disorderly_until - open_house._loop.time()
    assert 0 < left <= demo.DISORDER_SECONDS


def test_an_instance_that_is_not_named_lives_on(open_house, monkeypatch):
    killed = []
    monkeypatch.setattr(demo.os, "kill", lambda *which: killed.append(which))
    assert open_house.user().post("/api/demo/break", {"what": "kill", "instance": "web.7"}).status == 204
    assert open_house.user().post("/api/demo/break", {"what": "kill", "instance": "web.1"}).status == 204
    eventually(lambda: killed)
    assert killed == [(demo.os.getpid(), demo.signal.SIGKILL)]
