"""Fixtures for all tests, and the logs of the services beside a failure."""

import pytest

from tests.services import (  # noqa: F401
    Cluster,
    cluster,
    database,
    module_cluster,
    new_database,
    postgres,
    service_directory,
    template,
    valkey,
)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.failed:
        for running in Cluster.live:
            report.sections += [(f"log of {name}", text[-8000:]) for name, text in running.logs() if text]
    return report
