"""What is made of the measured values."""

import pytest

from bench.figures import percentile


@pytest.mark.parametrize(("share", "expected"), [(0.5, 50), (0.99, 99), (1, 100), (0.001, 1), (0, 1)])
def test_a_percentile_is_the_smallest_value_that_so_many_do_not_exceed(share, expected):
    assert percentile(range(100, 0, -1), share) == expected


def test_the_percentiles_of_one_value_are_that_value():
    assert percentile([7], 0.5) == percentile([7], 0.99) == 7


def test_a_percentile_of_nothing_is_an_error():
    with pytest.raises(ValueError):
        percentile([], 0.5)
