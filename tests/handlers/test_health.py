"""What an instance tells operators, load balancers and Prometheus."""

import logging
import time

import pytest

from tests.handlers.served import until


def ready(served):
    answer = served.client().get("/readyz")
    return answer.status, answer.json["status"]


def test_a_healthy_instance_says_so(served):
    assert until(lambda: ready(served) == (200, "ok"))
    answer = served.client().get("/healthz")
    assert answer.status == 200
    body = answer.json
    assert (body["status"], body["draining"], body["version"]) == ("ok", False, "1.0.0")
    assert body["database"]["lastSuccess"] and body["database"]["mostConnections"] == 8
    assert body["delivery"]["instance"] == "web.1"


def test_without_redis_it_is_degraded_and_ready(serve):
    served = serve(redis="redis://127.0.0.1:1/0")
    assert ready(served) == (200, "degraded")
    assert served.client().get("/healthz").json["status"] == "degraded"


def test_without_postgresql_it_lives_but_is_not_ready(served, postgres):
    postgres.kill()
    try:
        assert ready(served) == (503, "unavailable")
        answer = served.client().get("/healthz")
        assert (answer.status, answer.json["status"]) == (200, "degraded")
        assert answer.json["database"]["lastError"]
    finally:
        postgres.start()
    assert until(lambda: ready(served) == (200, "ok"))
    assert served.client().get("/healthz").json["status"] == "ok"


def test_a_frozen_postgresql_is_noticed_in_two_seconds(served, postgres):
    assert until(lambda: ready(served) == (200, "ok"))
    postgres.freeze()
    try:
        started = time.monotonic()
        assert ready(served) == (503, "unavailable")
        assert time.monotonic() - started < 4
        assert served.client().get("/healthz").status == 200
    finally:
        postgres.thaw()
    assert until(lambda: ready(served) == (200, "ok"))


def test_on_a_schema_of_a_later_release_it_is_not_ready(serve):
    served = serve()
    served.rows("update parley set compatible_from = 99, schema_version = 99 returning 1")
    answer = served.client().get("/readyz")
    assert (answer.status, answer.json["status"]) == (503, "unavailable")
    assert "newer" in answer.json["reason"]


def test_while_it_drains_it_is_not_ready_and_still_serves(serve):
    served = serve()
    user = served.user()
    served.node.draining = True
    assert ready(served) == (503, "draining")
    assert served.client().get("/healthz").json["draining"] is True
    assert user.say(user.chat())["content"] == "Hello"


def test_requests_are_measured_by_route_and_not_by_address(served, alice, bob):
    chat = alice.chat(bob)
    alice.get(f"/api/chats/{chat}")
    served.client().request("PROPFIND", "/no/such/place")
    expected = (
        'parley_request_seconds_count{method="GET",route="/api/chats/{chatId}",status="200"}',
        'parley_request_seconds_count{method="other",route="unmatched",status="405"}',
    )
    assert until(lambda: all(line in served.client().get("/metrics").body.decode() for line in expected))
    assert chat not in served.client().get("/metrics").body.decode()


def test_the_access_log_tells_who_did_what_and_nothing_of_its_content(served, alice, bob, caplog):
    caplog.set_level(logging.DEBUG, "parley.http")
    chat = alice.chat(bob)
    alice.say(chat, "Top secret")
    alice.get("/api/users?q=private")
    served.client().post("/api/sign-in", {"username": "somebody", "password": "very secret"})

    def logged(beginning):
        # A request is logged when it is answered, so perhaps a little after its answer is here.
        lines = [record.getMessage() for record in caplog.records if record.name == "parley.http"]
        return [line for line in lines if line.startswith(beginning)]

    (signing_in,) = until(lambda: logged("POST /api/sign-in 401 "))
    (sending,) = logged("POST /api/chats/{chatId}/messages 201 ")
    assert signing_in.endswith(" ms user -") and sending.endswith(f" ms user {alice.id}")
    for secret in ("secret", "private", "somebody", alice.token, chat):
        assert secret not in caplog.text


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/static/icon.svg"])
def test_what_machines_ask_often_is_not_in_the_log(served, caplog, path):
    caplog.set_level(logging.INFO, "parley.http")
    served.client().get(path)
    served.client().get("/api/docs")
    (line,) = until(lambda: [record.getMessage() for record in caplog.records if record.name == "parley.http"])
    assert line.startswith("GET /api/docs 200 ")
