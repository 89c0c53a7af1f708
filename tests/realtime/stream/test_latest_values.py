"""An unread count never follows a newer one on any socket, also while another socket of the same user is being opened."""

from types import SimpleNamespace

import pytest

from chat.unread import count_event
from realtime.stream.event_stream import EventStream
from tests.realtime.stream.test_hub import new_hub

CHAT, USER = "chat", "user"


class Socket:
    """A client that remembers the counts that it got."""

    def __init__(self, hub):
        self.user_id, self.channels, self.streams, self.told = USER, {"unreadCountUpdated"}, {}, []
        self.session_id, self.writer = id(self), SimpleNamespace(join=lambda: None, leave=lambda: None)
        hub.connect(self)
        hub.add(self, 1)
        hub.attach(self, hub.stream(CHAT, 200), 200)

    def try_send(self, frame):
        self.told.append(int(frame.partition(b'"seq":')[2].partition(b",")[0]))
        return True

    def send_state(self, event):
        self.told.append(event.seq)


@pytest.mark.gen_test
async def test_a_count_read_for_a_new_socket_before_others_were_told_a_newer_one_does_not_undo_it():
    hub = new_hub()
    event_stream = EventStream(None, hub)
    steady = Socket(hub)
    for head in (191, 193):
        event_stream.offer(count_event(CHAT, USER, 3, head, 180))
    late = Socket(hub)
    event_stream.latest_values.send_afresh(late, count_event(CHAT, USER, 2, 190, 180))
    event_stream.offer(count_event(CHAT, USER, 3, 192, 180))
    event_stream.latest_values.send_afresh(late, count_event(CHAT, USER, 5, 195, 180))
    assert steady.told == [191, 193, 195]
    assert late.told == [193, 195]
