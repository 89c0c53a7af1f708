"""Signing up, in and out: who gets a session, how it is carried, how it ends, and how often one may guess."""

import uuid

import pytest

from tests.handlers.served import PASSWORD


def name():
    return f"user-{uuid.uuid4().hex[:12]}"


def test_signing_up_answers_the_user_and_a_token_that_works(served):
    client = served.client()
    body = {"username": "Anna.1", "password": PASSWORD, "displayName": "  Anna Ångström "}
    answer = client.post("/api/sign-up", body)
    assert answer.status == 201
    user = answer.json["user"]
    assert (user["username"], user["displayName"]) == ("Anna.1", "Anna Ångström")
    program = served.client(Authorization=f"Bearer {answer.json['token']}")
    assert program.get("/api/me").json == user


def test_who_gives_no_display_name_is_called_by_the_username(served):
    answer = served.client().post("/api/sign-up", {"username": "nameless", "password": PASSWORD, "displayName": None})
    assert answer.json["user"]["displayName"] == "nameless"


def test_a_username_is_taken_in_any_case(served):
    served.user("Taken")
    answer = served.client().post("/api/sign-up", {"username": "tAKEN", "password": PASSWORD})
    assert (*answer.refusal, answer.field) == (409, "username_taken", "username")


def test_signing_in_answers_the_user_and_a_token_that_works(served):
    user = served.user("Ines")
    answer = served.client().post("/api/sign-in", {"username": "iNES", "password": PASSWORD})
    assert answer.status == 200
    assert answer.json["user"] == user.user
    assert served.client(Authorization=f"bearer {answer.json['token']}").get("/api/me").json == user.user


def test_a_wrong_name_and_a_wrong_password_are_refused_alike(served):
    served.user("Judith")
    wrong_password = served.client().post("/api/sign-in", {"username": "Judith", "password": "wrong horse"})
    wrong_name = served.client().post("/api/sign-in", {"username": "Nobody", "password": PASSWORD})
    assert wrong_password.refusal == (401, "wrong_credentials")
    assert wrong_password.body == wrong_name.body
    assert wrong_password.headers["WWW-Authenticate"] == "Bearer"
    assert wrong_password.headers["Set-Cookie"] is None


def test_the_session_cookie_is_for_this_site_and_no_script(served):
    client = served.client()
    client.post("/api/sign-up", {"username": name(), "password": PASSWORD})
    session, xsrf = client.set_cookies["parley-session"], client.set_cookies["_xsrf"]
    assert (session["httponly"], session["samesite"], session["path"], session["secure"], session["domain"]) == (
        True,
        "Lax",
        "/",
        "",
        "",
    )
    assert (xsrf["httponly"], xsrf["samesite"], xsrf["path"], xsrf["secure"]) == ("", "Lax", "/", "")


def test_behind_tls_the_session_cookie_is_secure_and_bound_to_the_host(served):
    client = served.client(**{"X-Forwarded-Proto": "https"})
    client.post("/api/sign-up", {"username": name(), "password": PASSWORD})
    assert "parley-session" not in client.set_cookies
    session, xsrf = client.set_cookies["__Host-parley-session"], client.set_cookies["_xsrf"]
    assert (session["httponly"], session["secure"], session["path"], session["domain"]) == (True, True, "/", "")
    assert (xsrf["secure"], xsrf["httponly"]) == (True, "")
    assert client.get("/api/me").status == 200
    # The name without the prefix is one that a subdomain could have set.
    forged = served.client(**{"X-Forwarded-Proto": "https", "Cookie": f"parley-session={session.value}"})
    assert forged.get("/api/me").refusal == (401, "not_signed_in")


def test_a_browser_is_signed_in_by_its_cookie(served):
    browser = served.browser()
    assert browser.get("/api/me").json == browser.user


def test_a_bearer_token_wins_over_the_cookie(served):
    browser, other = served.browser(), served.user()
    both = {"Authorization": f"Bearer {other.token}"}
    assert browser.get("/api/me", headers=both).json["id"] == other.id
    assert browser.get("/api/me", headers={"Authorization": "Bearer nonsense"}).refusal == (401, "not_signed_in")


def test_the_authorization_of_a_proxy_is_not_ours(served):
    browser = served.browser()
    assert browser.get("/api/me", headers={"Authorization": "Basic dXNlcjpwYXNz"}).json["id"] == browser.id


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer  "},
        {"Authorization": "Bearer x\xff"},
        {"Cookie": "parley-session="},
        {"Cookie": "parley-session=nonsense"},
        {"Cookie": ';;=;x="'},
    ],
)
def test_without_a_session_nothing_is_told(served, headers):
    answer = served.client(**headers).get("/api/me")
    assert answer.refusal == (401, "not_signed_in")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_signing_out_ends_the_session_at_once(served):
    browser = served.browser()
    session_id = served.rows("select id from sessions where user_id = %s", browser.id)[0].id
    program = served.client(Authorization=f"Bearer {browser.token}")
    assert program.get("/api/me").status == browser.get("/api/me").status == 200
    answer = browser.post("/api/sign-out")
    assert (answer.status, answer.body) == (204, b"")
    assert "parley-session" not in browser.cookies
    assert browser.set_cookies["parley-session"]["path"] == "/"
    assert served.node.ended == [session_id]
    assert program.get("/api/me").refusal == (401, "not_signed_in")


def test_signing_out_ends_no_other_session(served):
    user = served.user()
    other = served.client().post("/api/sign-in", {"username": user.user["username"], "password": PASSWORD})
    assert user.post("/api/sign-out").status == 204
    assert served.client(Authorization=f"Bearer {other.json['token']}").get("/api/me").status == 200


def test_signing_out_again_with_the_ended_token_answers_the_same(served):
    user = served.user()
    assert [user.post("/api/sign-out").status for _ in range(2)] == [204, 204]


def test_nobody_signs_out_without_a_token_of_ours(served):
    assert served.client().post("/api/sign-out").refusal == (401, "not_signed_in")
    assert served.client(Authorization="Bearer nonsense").post("/api/sign-out").refusal == (401, "not_signed_in")


def test_a_retried_sign_up_gets_the_same_account_and_token(served):
    key, body = str(uuid.uuid4()), {"username": name(), "password": PASSWORD}
    first, again = (served.client().post("/api/sign-up", body, key=spelling) for spelling in (key, key.upper()))
    assert (first.status, first.json) == (again.status, again.json)
    different = served.client().post("/api/sign-up", {**body, "password": "another one"}, key=key)
    assert different.refusal == (422, "idempotency_key_reused")
    assert served.client().post("/api/sign-up", body, key=str(uuid.uuid4())).refusal == (409, "username_taken")


def test_a_retried_sign_in_gets_the_same_token_until_it_is_signed_out(served):
    user, key = served.user(), str(uuid.uuid4())
    body = {"username": user.user["username"], "password": PASSWORD}
    first, again = (served.client().post("/api/sign-in", body, key=key) for _ in range(2))
    assert first.json == again.json
    assert served.client().post("/api/sign-in", body).json["token"] != first.json["token"]
    served.client(Authorization=f"Bearer {first.json['token']}").post("/api/sign-out")
    assert served.client().post("/api/sign-in", body, key=key).refusal == (422, "idempotency_key_reused")


@pytest.mark.parametrize(
    "body, field",
    [
        ({"password": PASSWORD}, "username"),
        ({"username": "fine"}, "password"),
        ({"username": "fine", "password": "short"}, "password"),
        ({"username": "fine", "password": "x" * 257}, "password"),
        ({"username": "x", "password": PASSWORD}, "username"),
        ({"username": "x" * 81, "password": PASSWORD}, "username"),
        ({"username": ".dot", "password": PASSWORD}, "username"),
        ({"username": "two words", "password": PASSWORD}, "username"),
        ({"username": "line\n", "password": PASSWORD}, "username"),
        ({"username": "ümlaut", "password": PASSWORD}, "username"),
        ({"username": 7, "password": PASSWORD}, "username"),
        ({"username": "fine", "password": "nul\0nul\0nul"}, "password"),
        ({"username": "fine", "password": PASSWORD, "displayName": "   "}, "displayName"),
        ({"username": "fine", "password": PASSWORD, "displayName": "two\nlines"}, "displayName"),
        ({"username": "fine", "password": PASSWORD, "displayName": "x" * 81}, "displayName"),
        ({"username": "fine", "password": PASSWORD, "admin": True}, "admin"),
    ],
)
def test_an_account_that_breaks_the_rules_is_refused_by_field(served, body, field):
    answer = served.client().post("/api/sign-up", body)
    assert (*answer.refusal, answer.field) == (400, "invalid_value", field)
    assert PASSWORD not in answer.body.decode()


def test_guesses_at_one_account_are_limited_over_all_instances(serve, new_database):
    database = new_database()
    one, two = (serve(database, SIGN_IN_ATTEMPTS_PER_ACCOUNT="3") for _ in range(2))
    victim = one.user("victim")
    guess = {"username": "Victim", "password": "wrong horse"}
    for instance in (one, two, one):
        assert instance.client().post("/api/sign-in", guess).refusal == (401, "wrong_credentials")
    refused = two.client().post("/api/sign-in", {**guess, "password": PASSWORD})
    assert refused.refusal == (429, "too_many_attempts")
    assert 0 < int(refused.headers["Retry-After"]) <= 300
    # The owner comes from elsewhere, and is not locked out; nor is anybody else.
    assert (
        one.client(**{"X-Forwarded-For": "203.0.113.9"})
        .post("/api/sign-in", {"username": "victim", "password": PASSWORD})
        .status
        == 200
    )
    assert victim.get("/api/me").status == 200


def test_attempts_from_one_address_are_limited_whatever_the_name(serve):
    instance = serve(SIGN_IN_ATTEMPTS_PER_ADDRESS="3")

    def guess(forwarded):
        client = instance.client(**{"X-Forwarded-For": forwarded})
        return client.post("/api/sign-in", {"username": name(), "password": "wrong horse"}).status

    assert [guess("203.0.113.1") for _ in range(4)] == [401, 401, 401, 429]
    # Only the entry of our own proxy counts, so inventing others helps nobody; and X-Real-Ip is anybody's claim.
    assert guess("198.51.100.7, 203.0.113.1") == 429
    spoofed = instance.client(**{"X-Forwarded-For": "203.0.113.1", "X-Real-Ip": "192.0.2.1"})
    assert spoofed.post("/api/sign-up", {"username": name(), "password": PASSWORD}).status == 429
    assert guess("203.0.113.2") == 401
    # An IPv6 client has a whole /64 to come from.
    assert [guess(f"2001:db8:1:1::{last}") for last in range(1, 5)] == [401, 401, 401, 429]
    assert guess("2001:db8:1:2::1") == 401


def test_where_no_proxy_is_trusted_no_header_changes_the_address(serve):
    instance = serve(SIGN_IN_ATTEMPTS_PER_ADDRESS="2", TRUST_PROXY="false")
    statuses = [
        instance.client(**{"X-Forwarded-For": f"203.0.113.{last}"})
        .post("/api/sign-in", {"username": name(), "password": "wrong horse"})
        .status
        for last in range(3)
    ]
    assert statuses == [401, 401, 429]


def test_successful_sign_ins_are_no_guesses(serve):
    instance = serve(SIGN_IN_ATTEMPTS_PER_ACCOUNT="2")
    user = instance.user()
    body = {"username": user.user["username"], "password": PASSWORD}
    assert [instance.client().post("/api/sign-in", body).status for _ in range(5)] == [200] * 5


# One's own account


def test_who_renames_themselves_is_called_so_by_all(served):
    user = served.user()
    changed = user.patch("/api/me", {"displayName": "  Grace Höpper "})
    assert (changed.status, changed.json) == (200, {**user.user, "displayName": "Grace Höpper"})
    assert user.get("/api/me").json == changed.json
    assert served.user().get(f"/api/users/{user.id}").json["displayName"] == "Grace Höpper"


@pytest.mark.parametrize(
    "body, field",
    [
        ({}, "displayName"),
        ({"displayName": None}, "displayName"),
        ({"displayName": " "}, "displayName"),
        ({"displayName": "x" * 81}, "displayName"),
        ({"displayName": "a\nb"}, "displayName"),
        ({"displayName": "a", "username": "b"}, "username"),
    ],
)
def test_a_name_that_breaks_the_rules_is_refused(served, body, field):
    answer = served.user().patch("/api/me", body)
    assert (*answer.refusal, answer.field) == (400, "invalid_value", field)


def sign_in(served, user, password=PASSWORD):
    return served.client(**{"User-Agent": "another browser"}).post(
        "/api/sign-in", {"username": user.user["username"], "password": password}
    )


def with_token(served, answer):
    return served.client(Authorization=f"Bearer {answer.json['token']}")


def test_a_new_password_ends_the_other_sessions_at_once_and_keeps_this_one(served):
    user = served.user()
    other = with_token(served, sign_in(served, user))
    assert other.get("/api/me").status == 200
    session_id = [one["id"] for one in user.get("/api/sessions").json["items"] if not one["current"]]
    body = {"currentPassword": PASSWORD, "newPassword": "another horse"}
    answer = user.put("/api/me/password", body, key=(key := str(uuid.uuid4())))
    assert (answer.status, answer.body) == (204, b"")
    assert (user.get("/api/me").status, other.get("/api/me").refusal) == (200, (401, "not_signed_in"))
    assert served.node.ended[-1:] == session_id
    assert user.put("/api/me/password", body, key=key).status == 204
    assert sign_in(served, user).refusal == (401, "wrong_credentials")
    assert sign_in(served, user, "another horse").status == 200


@pytest.mark.parametrize(
    "body, refusal",
    [
        (
            {"currentPassword": "wrong horse", "newPassword": "another horse"},
            (403, "wrong_password", "currentPassword"),
        ),
        ({"currentPassword": PASSWORD, "newPassword": "short"}, (400, "invalid_value", "newPassword")),
        ({"newPassword": "another horse"}, (400, "invalid_value", "currentPassword")),
        ({"currentPassword": PASSWORD, "newPassword": "x" * 257}, (400, "invalid_value", "newPassword")),
    ],
)
def test_a_password_is_not_changed_where_something_is_wrong(served, body, refusal):
    user = served.user()
    answer = user.put("/api/me/password", body)
    assert (*answer.refusal, answer.field) == refusal
    assert sign_in(served, user).status == 200


def test_guesses_at_the_current_password_are_limited(serve):
    user = serve(SIGN_IN_ATTEMPTS_PER_ACCOUNT="3").user()
    guess = {"currentPassword": "wrong horse", "newPassword": "another horse"}
    assert [user.put("/api/me/password", guess).code for _ in range(4)] == ["wrong_password"] * 3 + [
        "too_many_attempts"
    ]


def test_ones_sessions_are_listed_and_each_can_be_ended(served):
    user = served.user()
    other = with_token(served, sign_in(served, user))
    listed = user.get("/api/sessions").json
    assert listed["next"] is None
    assert sorted((one["userAgent"], one["current"]) for one in listed["items"]) == [
        ("", True),
        ("another browser", False),
    ]
    (session_id,) = [one["id"] for one in listed["items"] if not one["current"]]
    assert served.user().delete(f"/api/sessions/{session_id}").refusal == (404, "not_found")
    assert other.get("/api/me").status == 200
    assert [user.delete(f"/api/sessions/{session_id.upper()}").status for _ in range(2)] == [204, 204]
    assert other.get("/api/me").refusal == (401, "not_signed_in")
    assert served.node.ended[-1] == session_id
    assert [one["current"] for one in user.get("/api/sessions").json["items"]] == [True]


def test_all_other_sessions_end_together(served):
    user = served.user()
    others = [with_token(served, sign_in(served, user)) for _ in range(3)]
    assert [one.get("/api/me").status for one in others] == [200] * 3
    stranger = served.user()
    assert user.delete("/api/sessions").status == 204
    assert [one.get("/api/me").status for one in others] == [401] * 3
    assert (user.get("/api/me").status, stranger.get("/api/me").status) == (200, 200)
