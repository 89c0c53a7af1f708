"""Idempotency-Keys of mutations that leave no event: a retry is welcome, another operation under the same key is refused."""

import pytest

from tests.chat.conftest import key

REUSED = (422, "idempotency_key_reused")


@pytest.fixture(scope="module")
def chat(alice, bob):
    return alice.post("/api/chats", {"chatType": "group", "participantIds": [bob.id]}).json["id"]


@pytest.fixture(scope="module")
def said(bob, chat):
    return [bob.post(f"/api/chats/{chat}/messages", {"content": text}).json["id"] for text in ("One", "Two")]


def unlogged(chat, said):
    """(method, path, body) of one operation of every kind that leaves no event, and of another like it."""
    return {
        "read": (("PUT", f"/api/messages/{said[0]}/read", None), ("PUT", f"/api/messages/{said[1]}/read", None)),
        "mute": (("PUT", f"/api/chats/{chat}/mute", None), ("DELETE", f"/api/chats/{chat}/mute", None)),
        "rename oneself": (("PATCH", "/api/me", {"displayName": "A"}), ("PATCH", "/api/me", {"displayName": "B"})),
    }


@pytest.mark.parametrize("kind", ["read", "mute", "rename oneself"])
def test_a_retry_answers_as_the_first_time_and_another_operation_is_refused(alice, chat, said, kind):
    operation, other = unlogged(chat, said)[kind]
    headers = {"Idempotency-Key": key()}
    first = alice.request(*operation, headers=headers)
    assert first.status in (200, 204)
    again = alice.request(*operation, headers=headers)
    assert (again.status, again.body) == (first.status, first.body)
    assert alice.request(*other, headers=headers).refusal == REUSED


def test_a_key_of_a_message_is_refused_for_what_leaves_no_event(alice, chat, said):
    headers = {"Idempotency-Key": key()}
    assert alice.post(f"/api/chats/{chat}/messages", {"content": "Hello"}, headers=headers).status == 201
    for operation, _ in unlogged(chat, said).values():
        assert alice.request(*operation, headers=headers).refusal == REUSED


def test_what_is_refused_has_changed_nothing(alice, chat):
    headers = {"Idempotency-Key": key()}
    assert alice.request("PUT", f"/api/chats/{chat}/mute", headers=headers).status == 204
    assert alice.request("DELETE", f"/api/chats/{chat}/mute", headers=headers).refusal == REUSED
    assert alice.get(f"/api/chats/{chat}").json["muted"] is True


def test_a_key_is_ones_own(alice, bob, chat):
    headers = {"Idempotency-Key": key()}
    assert alice.request("PUT", f"/api/chats/{chat}/mute", headers=headers).status == 204
    assert bob.request("DELETE", f"/api/chats/{chat}/mute", headers=headers).status == 204


def test_of_a_password_nothing_is_kept_by_which_it_could_be_guessed(served, alice):
    """The digest of the operation is the same whatever the passwords are."""
    headers = {"Idempotency-Key": key()}
    for wrong in ("not the password", "nor is this"):
        body = {"currentPassword": wrong, "newPassword": "long enough for anybody"}
        assert alice.request("PUT", "/api/me/password", body, headers=headers).refusal == (403, "wrong_password")
