"""`create_message` alone: one client, no HTTP, durable commits, against a plain insert of one row and against `select 1`.

What is between the insert and `create_message` is what a message costs besides being stored: the chat's lock and number, the event, the
watermark, the counts. `select 1` is what the protocol and the client take of each. The statements are prepared and run in turn, one call
each, so that a slow moment of the disk or of the machine meets them all.
"""

import random
import time
from contextlib import ExitStack, closing
from statistics import median

import psycopg2

from bench import report
from bench.events import CONTENT
from bench.load.senders import PLANNING

ROUNDS = 3000
WARM_UP = 300
MARK = 1.9
SEND, INSERT, SELECT = "create_message", "a plain insert of one row", "select 1"
PLAIN = """create table plain (id uuid primary key default gen_random_uuid(), chat_id uuid not null, sender_id uuid not null,
                               content text not null, created_at timestamptz not null default now())"""


def alone(stage):
    """One build."""
    yield from _rows([stage])


def between(sides):
    """Two builds, with the insert in the database of the first."""
    yield from _rows(sides)


def _rows(sides):
    with ExitStack() as stack:
        turns = _prepared(stack, sides[0])
        for side in sides[1:]:
            turns[side.name] = _prepared(stack, side)[SEND]
        took = {name: [] for name in turns}
        order, rng = list(turns.items()), random.Random(1)
        for number in range(WARM_UP + ROUNDS):
            rng.shuffle(order)  # a call is slower after one that has just written
            for name, cursor in order:
                began = time.perf_counter()
                cursor.execute("execute measured")
                if number >= WARM_UP:
                    took[name].append((time.perf_counter() - began) * 1e6)
    mine, insert = median(took[SEND]), median(took[INSERT])
    yield report.within("alone", "create_message, one client, durable", mine, insert, MARK, "µs", INSERT)
    yield report.shown("alone", "select 1, of the protocol and of the client", f"{median(took[SELECT]):.0f} µs")
    for side in sides[1:]:
        theirs = median(took[side.name])
        figure = f"{mine / theirs:.2f} × ({report.number(mine)} µs, {side.name} {report.number(theirs)})"
        yield report.shown("alone", f"create_message, against that of {side.name}", figure)
        yield report.shown("alone", f"create_message of {side.name}, against {INSERT}", f"{theirs / insert:.2f} ×")


def _prepared(stack, side) -> dict:
    """A cursor for each statement, on a connection of its own, on which it is prepared as `measured`."""
    people = stack.enter_context(side.database())
    people.add(2)
    chat = people.chat([0, 1], "direct")
    people.rows(PLAIN)
    send = side.send_message(f"'{people.ids[0]}'", f"'{chat}'", CONTENT)
    statements = {
        SEND: f"select sent.* from {send} sent",
        INSERT: f"insert into plain (chat_id, sender_id, content) values ('{chat}', '{people.ids[0]}', '{CONTENT}')",
        SELECT: "select 1",
    }
    cursors = {}
    for name, statement in statements.items():
        connection = stack.enter_context(closing(psycopg2.connect(people.url, options=PLANNING)))
        connection.autocommit = True
        cursors[name] = connection.cursor()
        cursors[name].execute(f"prepare measured as {statement}")
    return cursors
