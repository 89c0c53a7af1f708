"""What to do with an event at a position and with a cursor that comes back, for every small case there is."""

from itertools import product

import pytest

from realtime.protocol.position import Reset, Step, step, void

SMALL = range(8)


def test_of_all_positions_and_events_exactly_the_next_one_is_delivered():
    for known, seq in product(SMALL, SMALL):
        seen = set(range(1, known + 1))
        expected = (
            Step.DROP
            if seq in seen or seq == 0
            else Step.DELIVER
            if seen | {seq} == set(range(1, seq + 1))
            else Step.PULL
        )
        assert step(known, seq) is expected, (known, seq)


def test_whatever_is_heard_in_whatever_order_is_delivered_once_and_in_order():
    for heard in product(range(1, 5), repeat=5):
        known, delivered = 0, []
        for seq in heard:
            match step(known, seq):
                case Step.DELIVER:
                    delivered.append(seq)
                case Step.PULL:
                    delivered += range(known + 1, seq + 1)
            known = max(known, seq)
        assert delivered == list(range(1, max(heard) + 1))


def test_a_cursor_is_void_exactly_where_the_log_cannot_be_continued_from_it():
    for cursor, head, floor, limit in product(SMALL, SMALL, SMALL, range(4)):
        if floor > head:
            continue
        kept = set(range(floor + 1, head + 1))
        missing = set(range(cursor + 1, head + 1))
        can_continue = cursor <= head and missing <= kept and len(missing) <= limit
        assert (void(cursor, head, floor, limit) is None) == can_continue, (cursor, head, floor, limit)


@pytest.mark.parametrize(
    ("cursor", "head", "floor", "same_epoch", "reason"),
    [
        (5, 5, 0, True, None),
        (0, 5, 0, True, None),
        (5, 5, 5, True, None),
        (5, 5, 0, False, Reset.EPOCH),
        (6, 5, 0, False, Reset.EPOCH),
        (6, 5, 0, True, Reset.AHEAD),
        (2, 9, 3, True, Reset.FLOOR),
        (3, 9, 3, True, Reset.BEHIND),
        (4, 9, 3, True, None),
    ],
)
def test_the_reason_of_a_reset_is_the_most_telling_one(cursor, head, floor, same_epoch, reason):
    assert void(cursor, head, floor, 5, same_epoch) is reason


def test_the_reasons_are_those_of_the_protocol():
    assert {reason.value for reason in Reset} == {"epoch", "ahead", "floor", "behind"}
