"""Messages between instances: what is published arrives at the receiver of its kind, and nothing else ends anything."""

import pytest

from realtime.bus.channel_names import CONTROL
from realtime.bus.control import Control


@pytest.fixture
def received():
    return []


def control_of(batch):
    ((channel, payload),) = batch
    assert channel == CONTROL
    return payload


def test_a_message_arrives_at_the_receiver_of_its_kind_as_it_was_published(received):
    batches = []
    control = Control(lambda batch: batches.append(batch) or True, {"canary": received.append, "other": pytest.fail})
    assert control.publish({"kind": "canary", "sent": 1.5})
    control.receive(control_of(batches[0]))
    assert received == [{"kind": "canary", "sent": 1.5}]


def test_it_says_where_redis_did_not_take_a_message():
    assert not Control(lambda batch: False, {}).publish({"kind": "canary"})


@pytest.mark.parametrize(
    "payload", [b"rubbish", b"\xff", b"[]", b"1", b"{}", b'{"kind": ["canary"]}', b'{"kind": "of a later release"}']
)
def test_what_is_no_message_of_a_kind_known_here_changes_nothing(payload, received):
    Control(lambda batch: True, {"canary": received.append}).receive(payload)
    assert received == []
