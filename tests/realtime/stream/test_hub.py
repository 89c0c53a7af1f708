"""Who is connected here and what they watch: nothing is kept of what is gone."""

from types import SimpleNamespace

import pytest

from realtime.stream.hub import Hub
from realtime.transport.backpressure import Backpressure
from realtime.transport.write_queue import WriteQueue


def socket(hub, user="ada", version=1, channels=()):
    client = Client(user, channels)
    hub.connect(client)
    hub.add(client, version)
    return client


class Client(SimpleNamespace):
    __hash__ = object.__hash__

    def __init__(self, user, channels=()):
        super().__init__(
            user_id=user, streams={}, channels=channels, writer=SimpleNamespace(join=lambda: None, leave=lambda: None)
        )

    def __eq__(self, other):
        return self is other


@pytest.fixture
def hub():
    return new_hub()


def new_hub(**called):
    return Hub(WriteQueue(), Backpressure(), **called)


def is_empty(hub):
    return not (
        hub.clients
        or hub.sockets
        or hub.users
        or hub.versions
        or hub.streams
        or hub.presence_clients
        or hub.presence_outdated
    )


def test_how_many_listen_to_a_channel_is_known_until_they_are_gone(hub):
    one, other, silent = (socket(hub, channels=channels) for channels in (("a", "b"), ("a",), ()))
    assert (hub.listening["a"], hub.listening["b"], hub.listening["c"]) == (2, 1, 0)
    for client in (one, one, silent):
        hub.remove(client)
    assert (hub.listening["a"], hub.listening["b"]) == (1, 0)
    hub.remove(other)
    assert not any(hub.listening.values())


def test_who_asks_about_the_others_is_told_anew_when_their_chats_change(hub):
    asking, silent = socket(hub), socket(hub, "bob")
    stream = hub.stream("chat", 1)
    hub.follow_presence(asking)
    assert hub.presence_outdated == {asking}
    for change in (lambda one: hub.attach(one, stream, 1), lambda one: hub.detach(one, stream)):
        hub.presence_outdated.clear()
        for client in (asking, silent):
            change(client)
        assert hub.presence_outdated == {asking}
    hub.remove(asking)
    hub.follow_presence(asking)
    assert not hub.presence_clients and not hub.presence_outdated


def test_a_chat_that_nobody_watches_any_more_is_told_of_once():
    closed = []
    hub = new_hub(on_closed=closed.append)
    one, other = socket(hub), socket(hub, "bob")
    stream = hub.stream("chat", 1)
    for client in (one, other):
        hub.attach(client, stream, 1)
    hub.remove(one)
    assert closed == []
    hub.remove(other)
    hub.detach(other, stream)
    assert closed == [stream]


def test_coming_and_going_of_users_is_counted_and_that_of_more_sockets_is_not(hub):
    one, other = socket(hub), socket(hub)
    assert hub.turnover == 1
    hub.remove(one)
    assert hub.turnover == 1
    hub.remove(other)
    assert hub.turnover == 2


def test_a_socket_at_the_position_of_its_instance_is_attached_and_another_is_behind(hub):
    client, stream = socket(hub), hub.stream("chat", 5)
    for position, attached in ((5, True), (3, False), (7, False), (5, True)):
        hub.attach(client, stream, position)
        assert (stream.is_member(client), stream.behind) == (attached, {} if attached else {client: position})
        assert stream.clients() == [client] and client.streams == {"chat": stream}


def test_a_chat_is_watched_until_its_last_socket_leaves_it(hub):
    one, other = socket(hub), socket(hub, "bob")
    stream = hub.stream("chat", 5)
    hub.attach(one, stream, 5)
    hub.attach(other, stream, 2)
    assert hub.stream("chat", 99) is stream and stream.position == 5 and stream.user_ids() == {"ada", "bob"}
    hub.detach(one, stream)
    assert hub.streams == {"chat": stream} and one.streams == {}
    hub.detach(other, stream)
    assert hub.streams == {}


def test_a_watch_that_its_last_socket_has_just_left_is_watched_again_when_another_comes(hub):
    one, other = socket(hub), socket(hub, "bob")
    stream = hub.stream("chat", 5)
    hub.attach(one, stream, 5)
    hub.detach(one, stream)
    hub.attach(other, stream, 5)
    assert hub.streams == {"chat": stream}


def test_nothing_is_kept_of_a_socket_that_is_gone(hub):
    one, other = socket(hub), socket(hub)
    for chat_id in ("a", "b"):
        for client in (one, other):
            hub.attach(client, hub.stream(chat_id, 1), 1)
    hub.remove(one)
    assert hub.users == {"ada": (other,)} and hub.sockets == {"ada": 1} and not one.streams
    assert all(stream.clients() == [other] for stream in hub.streams.values())
    hub.remove(other)
    assert is_empty(hub)
    hub.remove(other)
    assert is_empty(hub)


def test_a_socket_that_is_gone_watches_nothing_any_more(hub):
    client, stream = socket(hub), hub.stream("chat", 5)
    hub.attach(client, stream, 5)
    hub.remove(client)
    hub.attach(client, stream, 5)
    assert is_empty(hub) and not client.streams


def test_a_socket_counts_before_its_hello_and_is_no_user_until_then(hub):
    client = Client("ada")
    hub.connect(client)
    assert hub.sockets["ada"] == 1 and not hub.users
    hub.remove(client)
    assert is_empty(hub)


def test_the_oldest_membership_version_of_a_users_sockets_is_the_one_that_counts(hub):
    for version, expected in ((7, 7), (9, 7), (6, 6)):
        socket(hub, version=version)
        assert hub.versions == {"ada": expected}


def test_a_version_in_doubt_is_no_version_that_the_database_could_have_and_no_other_doubt(hub):
    socket(hub, version=7)
    doubts = []
    for _ in range(3):
        hub.doubt("ada")
        doubts.append(hub.versions["ada"])
        socket(hub, version=8)
        assert hub.versions["ada"] == doubts[-1]
    assert all(doubt < 0 for doubt in doubts) and len(set(doubts)) == 3
    hub.doubt("nobody")
    assert hub.versions.keys() == {"ada"}
