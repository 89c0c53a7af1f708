"""Instances that are patched at start: with one mechanism switched off, to prove that the checker can fail, or with a kind of events more.

`python -m faults.mutants NAME`. The patches are made in this process alone; production code knows nothing of them. A mutant names the
fault that must show it. This is the one module of the rig that knows the server's.
"""

import asyncio
import random
import sys
import uuid

MUTANTS = {}
NEW_KIND = "rigFlagged"  # of events that no release knows; also the name of the patch
FLAG_SECONDS = 0.2


def replace(owner, name: str, by):
    """Put something else in the place of a module's or a class's `name`. Raises `AttributeError` where there is nothing to replace."""
    getattr(owner, name)
    setattr(owner, name, by)


def mutant(name: str, fault: str):
    """Put a patch into the list; `fault` is the one under which the checker must see it."""

    def enter(patch):
        MUTANTS[name] = (patch, fault)
        return patch

    return enter


@mutant("head-check", "tail-loss")
def no_head_check():
    """A lost last event is never looked for."""
    from realtime.head_checks import HeadChecks

    async def never(self):
        await asyncio.Event().wait()

    replace(HeadChecks, "run", never)


@mutant("seq-check", "redis-kick")
def no_seq_check():
    """An event ahead of its predecessors is delivered all the same."""
    from realtime.protocol.position import Step
    from realtime.stream import event_stream

    replace(event_stream, "step", lambda known, seq: Step.DELIVER if seq > known else Step.DROP)


@mutant("idempotency-key", "db-reply-lost")
def no_idempotency_key():
    """Every request is a new operation, whatever key it brings."""
    from web.api_handler import ApiHandler

    replace(ApiHandler, "_name_the_operation", lambda self: setattr(self, "op", str(uuid.uuid4())))


@mutant("synchronous-commit", "db-restart")
def no_synchronous_commit():
    """PostgreSQL answers before a commit is on disk."""
    import psycopg2.extensions

    make_dsn = psycopg2.extensions.make_dsn

    def careless(*arguments, **settings):
        settings["options"] = f"{settings.get('options', '')} -c synchronous_commit=off"
        return make_dsn(*arguments, **settings)

    replace(psycopg2.extensions, "make_dsn", careless)


@mutant("membership-order", "redis-kill")
def no_membership_order():
    """Whoever is removed is let out a second later, not with the event that removes them."""
    from realtime.stream.event_stream import EventStream

    let_out = EventStream._let_out

    def later(self, stream, event):
        asyncio.get_running_loop().call_later(1.0, let_out, self, stream, event)

    replace(EventStream, "_let_out", later)


@mutant("unknown-kinds", "upgrade")
def unknown_kinds_are_refused():
    """An event of an unknown kind is an error, as it was in the first release."""
    from chat.channels import CHANNELS
    from realtime.protocol import frames

    of_event = frames.of_event

    def refuse(event):
        CHANNELS[event.channel]  # KeyError
        return of_event(event)

    replace(frames, "of_event", refuse)


def a_new_kind():
    """An instance of the release after this one: it has a logged channel more, and writes its events into chats that are watched here."""
    from chat import channels

    channels.CHANNELS[NEW_KIND] = channels.Channel(
        NEW_KIND, channels.Kind.LOGGED, channels.Audience.PARTICIPANTS, ("id", "chatId")
    )
    known_to_this_build = channels.LOGGED
    channels.LOGGED |= {NEW_KIND}
    # Whatever is derived from the table is derived when it is imported: the rest comes after it.
    from chat import event_log
    from chat.events import Event
    from errors import ParleyError
    from realtime.node import Node

    rendered, start, nobody = event_log._rendered, Node.start, str(uuid.uuid4())
    replace(
        event_log, "LOGGED", known_to_this_build
    )  # it is the log as it is that reads the row; the object is put in here

    def flagged(chat_id, seq):
        return Event(NEW_KIND, chat_id, seq, {"id": chat_id, "chatId": chat_id})

    def render(*row):
        event = rendered(*row)
        return flagged(event.chat_id, event.seq) if event.channel == NEW_KIND else event

    async def flag(node):
        while True:
            await asyncio.sleep(FLAG_SECONDS)
            for chat_id in random.sample(list(node.hub.streams), min(1, len(node.hub.streams))):
                try:
                    row = await node.db.row(
                        """select append_event(c, %s, null, null, %s, gen_random_uuid(), 0, greatest(now_ms(), c.last_at)) as seq
                           from locked_chat(%s) c""",
                        NEW_KIND,
                        nobody,
                        chat_id,
                    )
                except ParleyError:
                    continue  # it may be in the log all the same, where the others find it
                node.publish([flagged(chat_id, row.seq)])

    async def start_and_flag(self):
        await start(self)
        self._tasks.append(asyncio.ensure_future(flag(self)))

    replace(event_log, "_rendered", render)
    replace(Node, "start", start_and_flag)


if __name__ == "__main__":
    patch = a_new_kind if sys.argv[1] == NEW_KIND else MUTANTS[sys.argv[1]][0]
    patch()
    import server

    sys.exit(server.main([]))
