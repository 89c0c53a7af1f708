"""One instance for each module of tests, on a database of its own."""

import pytest

from tests.handlers.served import Served


@pytest.fixture(scope="module")
def serve(new_database, valkey):
    """`serve(SETTING="value", …)` → one more instance, with other settings than the module's `served`."""
    running = []

    def start(database=None, redis=None, **environment) -> Served:
        running.append(Served(database or new_database(), redis or valkey.url, **environment))
        return running[-1]

    yield start
    for one in running:
        one.stop()


@pytest.fixture(scope="module")
def served(serve):
    return serve()


@pytest.fixture(scope="module")
def alice(served):
    return served.user()


@pytest.fixture(scope="module")
def bob(served):
    return served.user()


@pytest.fixture(scope="module")
def carol(served):
    return served.user()
