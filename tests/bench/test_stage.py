"""A side of the stage: what a build's own bench knows, and whose CPU time in PostgreSQL is whose."""

import shutil
import sys
from contextlib import closing

import psycopg2
import pytest

from bench import events, knowledge, people
from bench.backends import CONSUMERS, Backends
from local.builds import HERE, Build
from local.processes import ROOT

BUSY = "select count(*) from generate_series(1, 2000000)"


@pytest.fixture
def other(tmp_path):
    """A build whose envelopes and whose call of create_message are others than ours."""
    shutil.copytree(ROOT / "bench", tmp_path / "bench", ignore=shutil.ignore_patterns("node", "channels"))
    with (tmp_path / "bench" / "events.py").open("a") as file:
        file.write("\nCOUNTED = 7\n")
    with (tmp_path / "bench" / "people.py").open("a") as file:
        file.write("\nSEND = 'send({chat})'\n")
    return Build("0123456", "0" * 40, tmp_path, sys.executable)


def test_another_builds_knowledge_is_its_own_and_ours_stays(other):
    their_people, their_events = knowledge.modules(other)
    assert (their_events.COUNTED, their_people.SEND) == (7, "send({chat})")
    assert their_people.events is their_events
    assert knowledge.modules(HERE) == (people, events)
    assert sys.modules["bench.events"] is events and events.COUNTED != 7


def test_loading_another_build_leaves_the_path_alone(other):
    before = list(sys.path)
    knowledge.modules(other)
    assert sys.path == before


def test_what_consumers_use_is_told_from_what_senders_use(database):
    with closing(psycopg2.connect(database)) as measuring:
        measuring.autocommit = True
        with (
            closing(psycopg2.connect(database, application_name="parley web.1")) as sender,
            closing(psycopg2.connect(database, application_name=f"parley web.1{CONSUMERS}")) as consumer,
        ):
            with Backends(Asker(measuring)) as used:
                sender.cursor().execute(BUSY)
            assert used.senders > 0.02 and used.consumers < 0.01
            with Backends(Asker(measuring)) as used:
                consumer.cursor().execute(BUSY)
            assert used.consumers > 0.02 and used.total == used.senders + used.consumers


class Asker:
    """`rows(sql)` on a connection, which is not counted itself."""

    def __init__(self, connection):
        self._connection = connection

    def rows(self, sql):
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall()
