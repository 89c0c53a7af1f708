"""How long a connection to Redis waits before it tries again."""

from hypothesis import given
from hypothesis import strategies as st

from realtime.bus.backoff import delay

ATTEMPTS = st.integers(1, 10**6)


@given(ATTEMPTS, st.floats(0, 1, exclude_max=True))
def test_a_delay_grows_by_50_ms_up_to_2_s_and_is_shortened_by_at_most_half(attempt, chance):
    longest = min(attempt * 0.05, 2.0)
    assert longest / 2 <= delay(attempt, lambda: chance) <= longest


def test_the_first_attempts_follow_quickly_and_an_outage_costs_one_attempt_in_two_seconds():
    assert [round(delay(attempt, lambda: 1.0), 3) for attempt in (1, 2, 3, 40, 41, 10_000)] == [
        0.05,
        0.1,
        0.15,
        2.0,
        2.0,
        2.0,
    ]


@given(ATTEMPTS)
def test_no_two_instances_wait_the_same(attempt):
    assert len({delay(attempt) for _ in range(5)}) > 1
