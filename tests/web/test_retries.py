"""Idempotency: every retry of every mutation with its key changes nothing and answers as the first time."""

import re
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from handlers.application import ROUTES
from web.openapi import document

# Operation → (method, path, body, another body or path under the same key), given a scene.
LOGGED = {
    "createChat": lambda s: (
        "POST",
        "/api/chats",
        {"chatType": "group", "participantIds": [s.bob.id], "name": "One"},
        ("/api/chats", {"chatType": "group", "participantIds": [s.bob.id], "name": "Two"}),
    ),
    "updateChat": lambda s: (
        "PATCH",
        f"/api/chats/{s.chat}",
        {"name": "One"},
        (f"/api/chats/{s.chat}", {"name": "Two"}),
    ),
    "deleteChat": lambda s: ("DELETE", f"/api/chats/{s.chat}", None, (f"/api/chats/{s.other}", None)),
    "addParticipants": lambda s: (
        "POST",
        f"/api/chats/{s.chat}/participants",
        {"userIds": [s.carol.id]},
        (f"/api/chats/{s.chat}/participants", {"userIds": [s.bob.id]}),
    ),
    "removeParticipant": lambda s: (
        "DELETE",
        f"/api/chats/{s.chat}/participants/{s.bob.id}",
        None,
        (f"/api/chats/{s.chat}/participants/{s.carol.id}", None),
    ),
    "sendMessage": lambda s: (
        "POST",
        f"/api/chats/{s.chat}/messages",
        {"content": "One"},
        (f"/api/chats/{s.chat}/messages", {"content": "Two"}),
    ),
    "editMessage": lambda s: (
        "PATCH",
        f"/api/messages/{s.message}",
        {"content": "One"},
        (f"/api/messages/{s.message}", {"content": "Two"}),
    ),
    "deleteMessage": lambda s: ("DELETE", f"/api/messages/{s.message}", None, (f"/api/messages/{s.second}", None)),
}
# What is repeatable without its key being remembered: its tests are in the files of its noun.
OTHERS = {
    "signUp",
    "signIn",
    "signOut",
    "updateMe",
    "changePassword",
    "endSession",
    "endOtherSessions",
    "createInvitation",
    "revokeInvitation",
    "markRead",
    "muteChat",
    "unmuteChat",
    "breakSomething",
}


class Scene:
    def __init__(self, served, alice, bob, carol):
        self.alice, self.bob, self.carol = alice, bob, carol
        self.chat, self.other = alice.chat(bob), alice.chat(bob)
        self.message, self.second = (alice.say(self.chat)["id"] for _ in range(2))
        self._served = served

    def state(self):
        """Everything that a mutation could change."""
        return self._served.rows("""
            select (select count(*) from chat_events) as events, (select count(*) from messages) as messages,
                   (select count(*) from chats) as chats, (select sum(head_seq) from chats) as heads,
                   (select count(*) from participants) as people, (select sum(read_seq) from participants) as marks,
                   (select sum(membership_version) from users) as joins, (select max(updated_at) from chats) as at""")


@pytest.fixture
def scene(served, alice, bob, carol):
    return Scene(served, alice, bob, carol)


def test_every_mutation_of_the_document_is_tested_here(served):
    mutations = {one.id for _, _, _, one in document.operations(ROUTES) if one.mutation}
    assert mutations == LOGGED.keys() | OTHERS


@pytest.mark.parametrize("name", LOGGED)
def test_a_retry_changes_nothing_and_answers_the_same(served, scene, name):
    method, path, body, _ = LOGGED[name](scene)
    key = str(uuid.uuid4())
    first = scene.alice.request(method, path, body, key=key)
    assert first.status < 300 and first.seq
    before = scene.state()
    served.node.published.clear()
    shouted = re.sub("[0-9a-f-]{36}", lambda found: found[0].upper(), path)
    for again in (
        scene.alice.request(method, path, body, key=key),
        scene.alice.request(method, shouted, body, key=key.upper()),
    ):
        assert (again.status, again.body, again.seq) == (first.status, first.body, first.seq)
    assert scene.state() == before
    assert served.node.published == []


@pytest.mark.parametrize("name", LOGGED)
def test_a_key_is_refused_for_something_else(scene, name):
    method, path, body, (other_path, other_body) = LOGGED[name](scene)
    key = str(uuid.uuid4())
    assert scene.alice.request(method, path, body, key=key).status < 300
    before = scene.state()
    other = scene.alice.request(method, other_path, other_body, key=key)
    assert (*other.refusal, other.field) == (422, "idempotency_key_reused", "Idempotency-Key")
    assert scene.state() == before


@pytest.mark.parametrize("name", LOGGED)
def test_without_a_key_every_request_is_another(scene, name):
    method, path, body, _ = LOGGED[name](scene)
    first, second = scene.alice.request(method, path, body), scene.alice.request(method, path, body)
    assert first.status < 300
    assert (second.body, second.seq) != (first.body, first.seq)


def test_ids_in_another_order_and_spelling_are_the_same_request(scene):
    key, ids = str(uuid.uuid4()), [scene.bob.id, scene.carol.id]
    first = scene.alice.post("/api/chats", {"chatType": "group", "participantIds": ids}, key=key)
    shouted = [one.upper() for one in ids[::-1]] + ids
    again = scene.alice.post("/api/chats", {"chatType": "group", "participantIds": shouted}, key=key)
    assert (again.status, again.json) == (201, first.json)


def test_two_people_may_choose_the_same_key(scene):
    key = str(uuid.uuid4())
    path = f"/api/chats/{scene.chat}/messages"
    mine, theirs = (one.post(path, {"content": "One"}, key=key) for one in (scene.alice, scene.bob))
    assert (mine.status, theirs.status) == (201, 201)
    assert mine.json["id"] != theirs.json["id"]


def test_retries_at_the_same_moment_are_one(scene):
    key, path = str(uuid.uuid4()), f"/api/chats/{scene.chat}/messages"
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: scene.alice.post(path, {"content": "Once"}, key=key), range(8)))
    assert {answer.status for answer in answers} == {201}
    assert len({answer.json["id"] for answer in answers}) == 1


@pytest.mark.parametrize(
    "key",
    [
        "",
        "7",
        "nonsense",
        "{7f1d2c7e-0b5a-4d43-9d0e-5a1c7f0e9b11}",
        "7f1d2c7e0b5a4d439d0e5a1c7f0e9b11",
        "ü" * 36,
    ],
)
def test_a_key_that_is_no_uuid_is_refused(scene, key):
    answer = scene.alice.request("DELETE", f"/api/chats/{scene.chat}", headers={"Idempotency-Key": key.encode("utf-8")})
    assert (*answer.refusal, answer.field) == (400, "invalid_value", "Idempotency-Key")
    assert scene.alice.get(f"/api/chats/{scene.chat}").status == 200


def test_a_retry_by_one_who_may_no_longer_see_it_still_answers(scene):
    """The first answer may have been lost on the way; that it was accepted is no secret."""
    key, path = str(uuid.uuid4()), f"/api/chats/{scene.chat}/messages"
    first = scene.bob.post(path, {"content": "Last words"}, key=key)
    scene.alice.delete(f"/api/chats/{scene.chat}/participants/{scene.bob.id}")
    again = scene.bob.post(path, {"content": "Last words"}, key=key)
    assert (again.status, again.json["id"]) == (201, first.json["id"])
