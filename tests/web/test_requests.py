"""Bad input: every request that breaks the rules gets its documented error, and the server goes on."""

import json
import socket
import uuid

import pytest

JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def chat(alice, bob):
    return alice.chat(bob)


@pytest.fixture(autouse=True)
def goes_on(served, alice):
    yield
    assert alice.get("/api/me").json == alice.user


def send(client, chat, body: bytes, **headers):
    return client.send("POST", f"/api/chats/{chat}/messages", body, {**JSON, **headers})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"{}}",
        b"{'content': 'x'}",
        b"nonsense",
        b'{"content": "x"',
        b'{"content": "x",}',
        b"\x00",
        b"\xff\xfe{\x00}\x00",
        b'\xef\xbb\xbf{"content": "x"}',  # a byte order mark
        b'{"content": "\xff"}',  # not UTF-8
        b'{"content": "\\ud800"}',
        b'{"content": "\\udc00\\ud800"}',
        b'{"content": "\xed\xa0\x80"}',  # lone surrogates
        b'{"content": NaN}',
        b'{"content": Infinity}',
        b'{"content": -Infinity}',
        b'{"content": 1e999999}',
        b"[" * 30_000,
        b'{"a":' * 10_000,
        b"[" * 30_000 + b"]" * 30_000,
        b'{"content": ' + b"[" * 1000 + b"]" * 1000 + b"}",
        b'{"content": ' + b"[" * 400 + b"]" * 400 + b"}",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_what_is_no_json_is_refused(alice, chat, body):
    assert send(alice, chat, body).refusal == (400, "invalid_json")


@pytest.mark.parametrize(
    "body",
    [
        "null",
        "true",
        "7",
        '"content"',
        "[]",
        "[[]]",
        '[{"content": "x"}]',
        '{"content": 123456789012345678901234567890}',
        '{"content": -1e300}',
        '{"content": 1.5}',
        '{"content": {"$ne": null}}',
        '{"content": [[[[[]]]]]}',
    ],
)
def test_json_of_a_wrong_type_is_refused(alice, chat, body):
    assert send(alice, chat, body.encode()).refusal == (400, "invalid_value")


@pytest.mark.parametrize(
    "body, field",
    [
        ('{"content": "x", "seq": 1}', "seq"),
        ('{"content": "x", "": 1}', ""),
        ('{"content": "x", "__proto__": {}}', "__proto__"),
        ('{"Content": "x"}', "Content"),
        ('{"content": "x", "a\\u0000b": 1}', "a\0b"),
        ("{}", "content"),
        ('{"content": "x", "%s": 1}' % ("y" * 5000), "y" * 100),
    ],
)
def test_a_field_that_is_unknown_or_missing_is_named(alice, chat, body, field):
    answer = send(alice, chat, body.encode())
    assert (*answer.refusal, answer.field) == (400, "invalid_value", field)


def test_of_a_field_given_twice_the_last_counts_and_is_checked(alice, chat):
    assert send(alice, chat, b'{"content": "one", "content": "two"}').json["content"] == "two"
    assert send(alice, chat, b'{"content": "one", "content": 2}').refusal == (400, "invalid_value")


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/jsonp",
        "application/vnd.api+json",
        "json",
    ],
)
def test_a_body_of_another_kind_is_refused(alice, chat, kind):
    answer = alice.send("POST", f"/api/chats/{chat}/messages", b'{"content": "x"}', {"Content-Type": kind})
    assert answer.refusal == (415, "unsupported_media_type")


def test_a_form_that_is_none_is_refused_in_the_error_shape(alice, chat):
    for kind in ("multipart/form-data", "multipart/form-data; boundary=" + "x" * 300):
        answer = alice.send("POST", f"/api/chats/{chat}/messages", b"--x\r\nnonsense", {"Content-Type": kind})
        assert answer.refusal == (415, "unsupported_media_type")
    form, many = "application/x-www-form-urlencoded", b"&".join(b"a%d=1" % number for number in range(5000))
    answer = alice.send("POST", f"/api/chats/{chat}/messages", many, {"Content-Type": form})
    assert answer.refusal == (415, "unsupported_media_type")


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON", " application/json ;x=y"])
def test_json_may_say_its_charset(alice, chat, kind):
    assert alice.send("POST", f"/api/chats/{chat}/messages", b'{"content": "x"}', {"Content-Type": kind}).status == 201


def padded(size):
    body = json.dumps({"content": "x"}).encode()
    return body + b" " * (size - len(body))


def test_a_body_of_64_kib_is_taken_and_one_more_byte_is_not(alice, chat):
    assert send(alice, chat, padded(64 * 1024)).status == 201
    assert send(alice, chat, padded(64 * 1024 + 1)).refusal == (413, "body_too_large")
    assert send(alice, chat, padded(1024 * 1024)).refusal == (413, "body_too_large")
    assert send(alice, chat, b"[" * 100_000).refusal == (413, "body_too_large")


def test_a_body_without_a_length_is_measured_too(alice, chat):
    def chunked(body):
        return iter([body[:1000], body[1000:]])

    assert send(alice, chat, chunked(padded(3000))).status == 201
    assert send(alice, chat, chunked(padded(64 * 1024 + 1))).refusal == (413, "body_too_large")


def test_a_body_where_none_belongs_is_bounded_too(alice, chat):
    assert alice.send("POST", "/api/sign-out", b"x" * 65537, {"Authorization": None}).refusal == (413, "body_too_large")
    message = alice.say(chat)["id"]
    assert alice.send("PUT", f"/api/messages/{message}/read", b"x" * 65537).refusal == (413, "body_too_large")


def test_a_body_of_gigabytes_is_cut_off(served):
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as connection:
        connection.sendall(b"POST /api/sync HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999999\r\n\r\n" + b"x" * 1000)
        assert connection.recv(4096).startswith(b"HTTP/1.1 413")
        assert connection.recv(4096) == b""


def test_too_large_answers_before_anything_is_asked_of_the_body(served, chat):
    """Also who is not signed in learns it by its own error, not by a broken connection."""
    assert send(served.client(), chat, padded(64 * 1024 + 1)).refusal == (413, "body_too_large")
    assert send(served.client(), chat, b"[" * 30_000).refusal == (401, "not_signed_in")


@pytest.mark.parametrize(
    "limit, operation, body",
    [
        ("MAX_MESSAGE_CHARS", "message", {"content": "x" * 11}),
        ("MAX_NAME_CHARS", "chat", {"chatType": "group", "participantIds": [], "name": "x" * 11}),
        ("MAX_DESCRIPTION_CHARS", "chat", {"chatType": "group", "participantIds": [], "description": "x" * 11}),
    ],
)
def test_the_limits_are_settings(serve, limit, operation, body):
    served = serve(**{limit: "10"})
    user = served.user("tiny")
    path = "/api/chats" if operation == "chat" else f"/api/chats/{user.chat()}/messages"
    assert user.post(path, body).refusal == (400, "invalid_value")
    assert (
        user.post(
            path,
            {name: value[:10] if name in ("content", "name", "description") else value for name, value in body.items()},
        ).status
        == 201
    )


def test_the_body_limit_is_a_setting(serve):
    user = serve(MAX_BODY_BYTES="100").user("tiny")
    assert user.post("/api/chats", {"chatType": "group", "participantIds": [], "name": "x" * 60}).status == 413
    assert user.post("/api/chats", {"chatType": "group", "participantIds": []}).status == 201


@pytest.mark.parametrize(
    "header", ["User-Agent", "X-Forwarded-For", "Idempotency-Key", "Origin", "Content-Type", "Accept", "Cookie"]
)
@pytest.mark.parametrize(
    "value", [b"\xff\xfe", b"x" * 5000, b"%00", b"'; drop table users; --", b"\xc3\xa4, \xf0\x9f\x98\x80"]
)
def test_headers_of_any_bytes_are_no_harm(served, header, value):
    body = json.dumps({"username": f"user-{uuid.uuid4().hex[:12]}", "password": "long enough"}).encode()
    answer = served.client().send("POST", "/api/sign-up", body, {**JSON, header: value})
    assert answer.status in (201, 400, 403, 415)


@pytest.mark.parametrize(
    "text",
    [
        b"GET /api/me HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
        b"GET\r\n\r\n",
        b"GET /api/me HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        b"GET /api/me HTTP/1.1\r\nHost: x\r\nA b: c\r\n\r\n",
        b"POST /api/me HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET " + b"/" * 70_000 + b" HTTP/1.1\r\n\r\n",
    ],
    ids=lambda text: repr(text[:24]),
)
def test_what_is_no_http_ends_the_connection_only(served, text):
    with socket.create_connection(("127.0.0.1", served.port), timeout=10) as connection:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(4096):
            pass


def test_a_client_that_goes_away_is_no_harm(served, alice, chat):
    for _ in range(5):
        connection = socket.create_connection(("127.0.0.1", served.port), timeout=10)
        head = f"GET /api/chats/{chat} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {alice.token}\r\n\r\n"
        connection.sendall(head.encode())
        connection.close()
