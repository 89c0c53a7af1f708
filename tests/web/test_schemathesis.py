"""Requests made up from the OpenAPI document: nothing fails, and nothing is answered that the document does not describe."""

import uuid
from collections import Counter

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis import settings as hypothesis_settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

import settings
from handlers.application import ROUTES
from tests.handlers.served import PASSWORD
from web.openapi import document

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]

pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")

schema = schemathesis.openapi.from_dict(document.build(ROUTES, settings.load({})))
schema.config.generation.update(modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE])

# The same cases in every run, and no more of them than half a minute allows.
bounded = dict(deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
turns = Counter()
answered = Counter()


def with_live_ids(case, user):
    """Every other case is about a chat, a message and a user that are there: made-up ids find nothing."""
    turns[case.operation.label] += 1
    if case.path_parameters and turns[case.operation.label] % 2:
        chat = user.chat()
        live = {
            "chatId": chat,
            "messageId": user.say(chat)["id"],
            "userId": user.id,
            "invitationId": user.post("/api/invitations", {}).json.get("id"),
            "sessionId": other_session(user),
        }
        case.path_parameters = {name: live[name] for name in case.path_parameters}
        if isinstance(case.body, dict) and case.body.get("userIds"):
            case.body["userIds"] = [user.id]
        if case.headers and "Idempotency-Key" in case.headers:
            case.headers["Idempotency-Key"] = str(uuid.uuid4())  # made up again and again, it is a reused one


def other_session(user):
    """The id of one more session of this user: ending it must not end the other cases."""
    user.served.client().post("/api/sign-in", {"username": user.user["username"], "password": PASSWORD})
    return user.get("/api/sessions").json["items"][0]["id"]


@pytest.fixture(scope="module")
def alice(served, alice):
    """She owns the server, whoever signed up first."""
    served.rows("update users set is_owner = true where id = %s returning id", alice.id)
    return alice


@schema.parametrize()
@hypothesis_settings(max_examples=5, phases=[Phase.generate], **bounded)
def test_signed_out(served, case):
    case.call_and_validate(base_url=served.url, checks=CHECKS)


@schema.parametrize()
@hypothesis_settings(max_examples=6, phases=[Phase.explicit, Phase.generate], **bounded)
def test_signed_in(served, alice, case):
    # Signing out must not sign out the other cases.
    user = served.user() if case.operation.definition.raw["operationId"] == "signOut" else alice
    with_live_ids(case, user)
    token = {"Authorization": f"Bearer {user.token}"}
    answer = case.call_and_validate(base_url=served.url, headers=token, checks=CHECKS)
    answered[case.operation.label, answer.status_code // 100] += 1


def test_the_cases_reached_the_operations():
    """Of each operation some case succeeded, but for those for which a password would have to be guessed, and breaking things."""
    ran = {label for label, _ in answered}
    assert {label for label, kind in answered if kind == 2} >= ran - {
        "POST /api/sign-in",
        "PUT /api/me/password",
        "POST /api/demo/break",
    }
    assert {label for label, kind in answered if kind == 4} >= ran & {"POST /api/sign-in", "POST /api/chats"}
