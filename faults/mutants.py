"""Instances with one mechanism switched off, to prove that the checker can fail. `python -m faults.mutants NAME`.

The patches are made at start, in this process alone; production code knows nothing of them. Each names the fault that must show it.
"""

import asyncio
import sys
import uuid

MUTANTS = {}


def mutant(name: str, fault: str):
    """Put a patch into the list; `fault` is the one under which the checker must see it."""

    def enter(patch):
        MUTANTS[name] = (patch, fault)
        return patch

    return enter


@mutant("head-check", "tail-loss")
def no_head_check():
    """A lost last event is never looked for."""
    from realtime.node import Node

    async def never(self):
        await asyncio.Event().wait()

    Node._check_heads = never


@mutant("seq-check", "redis-kick")
def no_seq_check():
    """An event ahead of its predecessors is delivered all the same."""
    from realtime.protocol.position import Step
    from realtime.stream import event_stream

    event_stream.step = lambda known, seq: Step.DELIVER if seq > known else Step.DROP


@mutant("idempotency-key", "db-reply-lost")
def no_idempotency_key():
    """Every request is a new operation, whatever key it brings."""
    from web.api_handler import ApiHandler

    ApiHandler._name_the_operation = lambda self: setattr(self, "op", str(uuid.uuid4()))


@mutant("synchronous-commit", "db-restart")
def no_synchronous_commit():
    """PostgreSQL answers before a commit is on disk."""
    import psycopg2.extensions

    make_dsn = psycopg2.extensions.make_dsn

    def careless(*arguments, **settings):
        settings["options"] = f"{settings.get('options', '')} -c synchronous_commit=off"
        return make_dsn(*arguments, **settings)

    psycopg2.extensions.make_dsn = careless


@mutant("membership-order", "redis-kill")
def no_membership_order():
    """Whoever is removed is let out a second later, not with the event that removes them."""
    from realtime.stream.event_stream import EventStream

    let_out = EventStream._let_out

    def later(self, watch, event):
        asyncio.get_running_loop().call_later(1.0, let_out, self, watch, event)

    EventStream._let_out = later


if __name__ == "__main__":
    import server

    MUTANTS[sys.argv[1]][0]()
    sys.exit(server.main([]))
