"""A cluster of real instances as tests get it: reachable through nginx and past it, hurt and whole again."""

import http.client
import json
import time
from urllib.parse import urlsplit

import pytest


@pytest.fixture(scope="module")
def three(module_cluster):
    return module_cluster(instances=3)


def ask(url, method="GET", path="/readyz", body=None):
    """`(status, decoded body)` of one request."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def eventually(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_every_instance_answers_through_nginx_and_past_it(three):
    assert ask(three.url)[0] == 200
    names = [ask(instance.url, path="/healthz")[1]["delivery"]["instance"] for instance in three.instances]
    assert names == ["web.1", "web.2", "web.3"]


def test_with_two_of_three_killed_nginx_finds_the_third(three):
    for instance in three.instances[:2]:
        instance.kill()
    assert {ask(three.url)[0] for _ in range(6)} == {200}
    for instance in three.instances[:2]:
        instance.start()
        assert ask(instance.url)[0] == 200


def test_an_instance_that_is_asked_to_stop_ends_with_success(three):
    three.instances[0].stop()
    assert three.instances[0].exit_status == 0
    three.instances[0].start()


def test_the_servers_own_answer_to_a_large_body_comes_through_nginx(three):
    status, answer = ask(three.url, "POST", "/api/sign-in", b"x" * 100_000)
    assert (status, answer["error"]["code"]) == (413, "body_too_large")


def test_it_is_ready_again_after_postgresql_was_killed_and_valkey_came_back_empty(three):
    three.postgres.kill()
    three.valkey.kill()
    eventually(lambda: ask(three.url)[0] == 503)
    three.postgres.start()
    three.valkey.start()
    eventually(lambda: all(ask(instance.url)[0] == 200 for instance in three.instances))


def test_on_unix_sockets_as_make_run_has_them(cluster):
    running = cluster(instances=1, sockets=True)
    assert ask(running.url)[0] == 200
    assert running.instances[0].get("/healthz")[0] == 200
