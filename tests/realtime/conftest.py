"""Settings of Hypothesis, and a clean start for every test's event loop."""

import pytest
from hypothesis import settings

from realtime.wire import Wire

# A slow machine is no failure.
settings.register_profile("parley", deadline=None)
settings.load_profile("parley")


@pytest.fixture(autouse=True)
def nothing_to_flush():
    """A process has one event loop, a test has one of its own: what the last one did not send must not wait for it."""
    Wire._ready = []
