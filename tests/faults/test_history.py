"""The log of one client, and what the checker makes of the logs."""

import json

from faults.history import Answered, Closed, Saw, Sent
from tests.faults.stories import Teller, right


def test_the_log_keeps_everything_in_its_order():
    anna = Teller("anna")
    anna.opens(1)
    anna.does(2, 1, "send", text="hello")
    anna.hears(2.1, 2)
    anna.closes(3)
    kinds = [type(record).__name__ for record in anna.history.records]
    assert kinds == ["Opened", "Saw", "Saw", "Sent", "Answered", "Saw", "Closed"]
    assert [record.socket for record in anna.history.of(Closed)] == [1]


def test_it_can_be_read_as_json_lines(tmp_path):
    history = right().anna.history
    history.write(tmp_path / "anna.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "anna.jsonl").read_text().splitlines()]
    assert len(lines) == len(history.records)
    assert {line["is"] for line in lines} == {"Opened", "Saw", "Sent", "Answered"}
    assert lines[-1]["frame"]["data"]["content"] == "hello!"


def test_the_attempts_of_an_operation_belong_together():
    anna = Teller("anna")
    for at, status in ((1, None), (3, 503), (5, 201)):
        anna.does(at, 7, "send", status=status, seq=2 if status == 201 else None, text="hello")
    world = right()
    world.anna.history.records[:0] = anna.history.records
    operation = next(operation for operation in world.evidence().operations if operation.number == 7)
    assert [attempt.status for attempt in operation.attempts] == [None, 503, 201]
    assert (operation.first_sent, operation.success.ended, operation.ambiguous) == (1, 5.01, True)
    assert {type(record) for record in anna.history.records[:2]} != {Sent, Answered}
    assert not anna.history.of(Saw)
