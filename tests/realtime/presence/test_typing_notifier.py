"""Who is typing goes to the others who follow the chat, once, wherever they are connected."""

import json

import pytest

from realtime.bus.channel_names import TYPING, ChannelNames
from realtime.presence.typing_notifier import TypingNotifier
from tests.realtime.stream.test_hub import new_hub

CHAT, ANN, BEN = "chat", "ann", "ben"


class Follower:
    """A client at the position of its chat, which keeps the frames that it got."""

    def __init__(self, hub, user_id):
        self.user_id, self.channels, self.streams, self.writer, self.frames = user_id, frozenset(), {}, Writer(), []
        hub.connect(self)
        hub.attach(self, hub.stream(CHAT, 1), 1)

    def try_send(self, frame):
        self.frames.append(json.loads(frame[2:]))
        return True


class Writer:
    def join(self):
        pass


class Instance:
    def __init__(self, boot, scope="all"):
        self.published, hub = [], new_hub()
        self.ann, self.ben = Follower(hub, ANN), Follower(hub, BEN)
        self.typing = TypingNotifier(hub, boot, ChannelNames(scope), self.published.extend)


TOLD = [{"type": "typing", "chatId": CHAT, "userId": ANN}]


@pytest.mark.parametrize("scope, name", [("all", TYPING), ("chat", f"{TYPING}.{CHAT}")])
def test_the_others_are_told_here_and_on_another_instance_and_who_types_is_not(scope, name):
    one, other = Instance("one", scope), Instance("other", scope)
    one.typing.notify(CHAT, ANN)
    ((published_as, payload),) = one.published
    other.typing.receive(payload)
    assert published_as == name
    for instance in (one, other):
        assert (instance.ann.frames, instance.ben.frames) == ([], TOLD)


def test_the_echo_of_an_instance_tells_nobody_twice():
    one = Instance("one")
    one.typing.notify(CHAT, ANN)
    one.typing.receive(one.published[0][1])
    assert one.ben.frames == TOLD


@pytest.mark.parametrize(
    "message", [{}, {"chatId": CHAT}, {"chatId": [CHAT], "userId": ANN}, {"chatId": "elsewhere", "userId": ANN}, 1]
)
def test_what_names_no_chat_of_this_instance_and_no_user_tells_nobody(message):
    one = Instance("one")
    one.typing.receive(json.dumps(message).encode())
    assert one.ann.frames == one.ben.frames == []
