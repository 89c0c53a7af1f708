"""Invitations over HTTP: whose they are, the pages that their links lead to, and signing up with one."""

import uuid

import pytest

from tests.handlers.served import PASSWORD


@pytest.fixture(scope="module")
def closed(serve):
    """A server by invitation, and its owner, who came first."""
    instance = serve(SIGN_UP="invited", INVITATION_DAYS="14", INVITATION_USES="50")
    instance.owner = instance.user("owner")
    return instance


@pytest.fixture(scope="module")
def guest(closed):
    """Somebody who was invited, and does not own the server."""
    invitation = closed.owner.post("/api/invitations", {}).json
    client = closed.client()
    answer = client.post("/api/sign-up", {"username": "guest", "password": PASSWORD, "invitation": invitation["token"]})
    client.cookies.clear()
    client.headers["Authorization"] = f"Bearer {answer.json['token']}"
    return client


def account(**more):
    return {"username": f"user-{uuid.uuid4().hex[:12]}", "password": PASSWORD, **more}


def test_only_the_first_account_owns_the_server(closed, guest):
    assert closed.owner.get("/api/me").json["isOwner"] is True
    assert guest.get("/api/me").json["isOwner"] is False
    assert "isOwner" not in guest.get(f"/api/users/{closed.owner.id}").json


def test_without_an_invitation_nobody_signs_up(closed):
    assert closed.client().post("/api/sign-up", account()).refusal == (403, "invitation_needed")
    assert closed.client().post("/api/sign-up", account(invitation=None)).refusal == (403, "invitation_needed")
    answer = closed.client().post("/api/sign-up", account(invitation="made up"))
    assert (*answer.refusal, answer.field) == (403, "invitation_invalid", "invitation")


def test_an_invitation_is_as_long_and_as_often_valid_as_asked_for_within_the_limits(closed):
    made = closed.owner.post("/api/invitations", {"days": 1, "uses": 2})
    assert made.status == 201
    invitation = made.json
    assert invitation["link"] == f"http://127.0.0.1:{closed.port}/join/{invitation['token']}"
    assert (invitation["uses"], invitation["maxUses"]) == (0, 2)
    assert [closed.client().post("/api/sign-up", account(invitation=invitation["token"])).status for _ in range(3)] == [
        201,
        201,
        403,
    ]
    (listed,) = [one for one in closed.owner.get("/api/invitations").json["items"] if one["id"] == invitation["id"]]
    assert listed == {**invitation, "uses": 2}
    assert closed.owner.post("/api/invitations", {}).json["maxUses"] == 50
    for body, field in (
        ({"days": 15}, "days"),
        ({"days": 0}, "days"),
        ({"uses": 51}, "uses"),
        ({"uses": "1"}, "uses"),
        ({"for": "x"}, "for"),
    ):
        answer = closed.owner.post("/api/invitations", body)
        assert (*answer.refusal, answer.field) == (400, "invalid_value", field)


def test_the_link_is_told_as_the_client_sees_the_server(closed):
    behind = {"X-Forwarded-Proto": "https", "Host": "chat.example.org"}
    assert (
        closed.owner.post("/api/invitations", {}, headers=behind)
        .json["link"]
        .startswith("https://chat.example.org/join/")
    )


def test_a_retried_invitation_is_one(closed):
    key = str(uuid.uuid4())
    first, again = (closed.owner.post("/api/invitations", {"uses": 3}, key=key) for _ in range(2))
    assert (first.status, first.json) == (again.status, again.json)
    assert closed.owner.post("/api/invitations", {"uses": 4}, key=key).refusal == (422, "idempotency_key_reused")


def test_only_the_owner_deals_with_invitations(closed, guest):
    invitation = closed.owner.post("/api/invitations", {}).json
    for method, path, body in (
        ("GET", "/api/invitations", None),
        ("POST", "/api/invitations", {}),
        ("DELETE", f"/api/invitations/{invitation['id']}", None),
    ):
        assert guest.request(method, path, body).refusal == (403, "not_the_server_owner")
        assert closed.client().request(method, path, body).refusal == (401, "not_signed_in")
    assert closed.client().get(f"/join/{invitation['token']}").status == 200


def test_a_withdrawn_invitation_is_worth_nothing(closed):
    invitation = closed.owner.post("/api/invitations", {}).json
    path = f"/api/invitations/{invitation['id']}"
    assert [closed.owner.delete(path).status for _ in range(2)] == [204, 204]
    assert closed.owner.delete(f"/api/invitations/{uuid.uuid4()}").refusal == (404, "not_found")
    assert invitation["id"] not in [one["id"] for one in closed.owner.get("/api/invitations").json["items"]]
    assert closed.client().post("/api/sign-up", account(invitation=invitation["token"])).refusal == (
        403,
        "invitation_invalid",
    )


# Pages


def test_before_there_is_anybody_the_way_leads_to_the_first_sign_up(serve):
    fresh = serve(SIGN_UP="invited")
    assert fresh.client().get("/sign-in").headers["Location"] == "/sign-up"
    assert "You are the first: this account will own the server." in fresh.client().get("/sign-up").body.decode()
    fresh.user()
    assert fresh.client().get("/sign-in").status == 200
    page = fresh.client().get("/sign-up").body.decode()
    assert "need an invitation" in page and "<form" not in page


def test_an_invitations_page_names_who_invites_and_where_to(closed):
    closed.owner.patch("/api/me", {"displayName": "Ada <b>"})
    invitation = closed.owner.post("/api/invitations", {}).json
    answer = closed.client(Host="chat.example.org").get(f"/join/{invitation['token']}")
    page = answer.body.decode()
    assert answer.status == 200
    assert "Ada &lt;b&gt;" in page and "chat.example.org" in page and f'value="{invitation["token"]}"' in page
    assert closed.owner.get(f"/join/{invitation['token']}").headers["Location"] == "/"


@pytest.mark.parametrize("change, status, told", [
    ("expires_at = now()", 410, "expired"), ("revoked_at = now()", 410, "withdrawn"), ("uses = max_uses", 410, "used up"),
], ids=["expired", "revoked", "used"])  # fmt: skip
def test_an_invitation_that_has_ended_says_why(closed, change, status, told):
    invitation = closed.owner.post("/api/invitations", {}).json
    closed.rows(f"update invitations set {change} where id = %s returning id", invitation["id"])
    answer = closed.client().get(f"/join/{invitation['token']}")
    assert answer.status == status and told in answer.body.decode() and "<form" not in answer.body.decode()


@pytest.mark.parametrize("token", ["nonsense", "%00", "%ff", "a'b", "x" * 101])
def test_a_link_that_nobody_made_says_so(closed, token):
    answer = closed.client().get(f"/join/{token}")
    assert answer.status == 404 and "no such invitation" in answer.body.decode()


def test_on_an_open_server_every_link_leads_to_the_sign_up(served, alice):
    answer = served.client().get("/join/nonsense")
    assert (answer.status, answer.headers["Location"]) == (302, "/sign-up")


def test_the_pages_tell_the_limits_of_the_settings(serve):
    strict = serve(MIN_PASSWORD_CHARS="14")
    assert "At least 14 characters." in strict.client().get("/sign-up").body.decode()
    answer = strict.client().post("/api/sign-up", account(password="x" * 13))
    assert (*answer.refusal, answer.field) == (400, "invalid_value", "password")
