"""The table of routes: its order decides nothing, so that what is asked most often can be tried first."""

import re

import pytest

from handlers.application import BUSY, ROUTES, pattern

PATHS = [path for path, _ in ROUTES]


@pytest.mark.parametrize("path", PATHS)
def test_a_path_is_that_of_one_route(path):
    asked = re.sub(r"{\w+(:path)?}", "5f0c3a0e-0000-4000-8000-000000000001", path)
    assert [one for one in PATHS if re.match(pattern(one), asked)] == [path]


def test_the_busy_ones_are_routes():
    assert set(BUSY) < set(PATHS)
