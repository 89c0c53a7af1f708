"""Every mutation under its key: done once however often it is asked for, and the key is good for nothing else."""

import asyncio
from dataclasses import dataclass

import pytest

from chat import chats, messages
from errors import Refused
from tests.chat.conftest import World, key, refused, until


@dataclass
class Scene:
    """A group of Ada (its owner) and Bob with a message of Ada's, and Cy, who is not in it."""

    ada: str
    bob: str
    cy: str
    chat_id: str
    message_id: str


async def _scene(world):
    ada, bob, cy = await world.users(3)
    chat_id = await world.group(ada, bob)
    return Scene(ada, bob, cy, chat_id, await world.send(ada, chat_id))


# Each is Ada's; the scene decides the target. `variant` is the same operation with another body or target.
MUTATIONS = {
    "send": lambda db, s, op: messages.send(db, s.ada, op, s.chat_id, "Hello", 50),
    "edit": lambda db, s, op: messages.edit(db, s.ada, op, s.message_id, "Better"),
    "delete message": lambda db, s, op: messages.delete(db, s.ada, op, s.message_id, 50),
    "create group": lambda db, s, op: chats.create(db, s.ada, op, "group", "Trip", None, [s.bob], 10),
    "create direct": lambda db, s, op: chats.create(db, s.ada, op, "direct", None, None, [s.bob], 10),
    "update": lambda db, s, op: chats.update(db, s.ada, op, s.chat_id, {"name": "New"}),
    "add": lambda db, s, op: chats.add(db, s.ada, op, s.chat_id, [s.cy], 10),
    "remove": lambda db, s, op: chats.remove(db, s.ada, op, s.chat_id, s.bob),
    "leave": lambda db, s, op: chats.remove(db, s.ada, op, s.chat_id, s.ada),
    "delete chat": lambda db, s, op: chats.delete(db, s.ada, op, s.chat_id),
}
VARIANTS = {
    "send": lambda db, s, op: messages.send(db, s.ada, op, s.chat_id, "Hello!", 50),
    "edit": lambda db, s, op: messages.edit(db, s.ada, op, s.message_id, "Best"),
    "create group": lambda db, s, op: chats.create(db, s.ada, op, "group", "Trip", "To the sea", [s.bob], 10),
    "create direct": lambda db, s, op: chats.create(db, s.ada, op, "direct", None, None, [s.cy], 10),
    "update": lambda db, s, op: chats.update(db, s.ada, op, s.chat_id, {"description": "New"}),
    "add": lambda db, s, op: chats.add(db, s.ada, op, s.chat_id, [s.cy, s.bob], 10),
    "remove": lambda db, s, op: chats.remove(db, s.ada, op, s.chat_id, s.cy),
}
# Those that answer a chat: what is in it today, and so only to those who are.
SHOWING = ("create group", "update", "add")

every_mutation = pytest.mark.parametrize("name", MUTATIONS)


async def _events_of(db, actor):
    return await db.rows(
        "select chat_id, seq, op_id from chat_events where actor_id = %s order by at, chat_id, seq", actor
    )


@every_mutation
@pytest.mark.gen_test
async def test_a_retry_changes_nothing_publishes_nothing_and_answers_as_the_first_time(db, world, name):
    scene, op = await _scene(world), key()
    first = await MUTATIONS[name](db, scene, op)
    assert not first.repeated and first.events and first.seq is not None
    before = await _events_of(db, scene.ada)
    again = await MUTATIONS[name](db, scene, op)
    assert (again.repeated, again.events, again.seq, again.answer) == (True, [], first.seq, first.answer)
    assert await _events_of(db, scene.ada) == before


@every_mutation
@pytest.mark.gen_test
async def test_five_at_once_on_five_instances_are_one(db, world, opened, together, name):
    scene, op = await _scene(world), key()
    before = await _events_of(db, scene.ada)
    outcomes = await together([MUTATIONS[name](await opened(), scene, op) for _ in range(5)])
    assert [outcome.repeated for outcome in outcomes].count(False) == 1
    assert len({outcome.seq for outcome in outcomes}) == 1
    assert all(outcome.answer == outcomes[0].answer for outcome in outcomes)
    assert len(await _events_of(db, scene.ada)) == len(before) + 1


@pytest.mark.gen_test
async def test_a_key_used_for_one_operation_is_refused_for_every_other(db, world):
    for name, used in MUTATIONS.items():
        scene, op = await _scene(world), key()
        await used(db, scene, op)
        for other, reused in MUTATIONS.items():
            if other != name:
                with refused("idempotency_key_reused", "Idempotency-Key"):
                    await reused(db, scene, op)


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.gen_test
async def test_a_key_is_refused_with_another_body_or_target(db, world, name):
    scene, op = await _scene(world), key()
    await MUTATIONS[name](db, scene, op)
    with refused("idempotency_key_reused", "Idempotency-Key"):
        await VARIANTS[name](db, scene, op)


@every_mutation
@pytest.mark.gen_test
async def test_a_key_is_refused_for_another_chat(db, world, name):
    scene, op = await _scene(world), key()
    other = await world.group(scene.ada, scene.bob)
    await messages.send(db, scene.ada, op, other, "Hello", 50)
    with refused("idempotency_key_reused", "Idempotency-Key"):
        await MUTATIONS[name](db, scene, op)


@pytest.mark.gen_test
async def test_a_key_used_in_two_chats_at_once_is_good_for_one(db, world, opened, together):
    """Nothing but the unique key holds the two together: they wait for different chats, on different instances."""
    ada, op = await world.user(), key()
    there = [await world.group(ada) for _ in range(4)]
    outcomes = await together(
        [
            *([messages.send(await opened(), ada, op, chat_id, "Hello", 50) for chat_id in there]),
            chats.create(db, ada, op, "group", "Another", None, [], 10),
        ]
    )
    refusals = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert [(type(error), error.code, error.field) for error in refusals] == [
        (Refused, "idempotency_key_reused", "Idempotency-Key")
    ] * 4


@pytest.mark.gen_test
async def test_a_message_sent_again_leaves_its_chat_as_it_was(db, world):
    scene, op = await _scene(world), key()
    await MUTATIONS["send"](db, scene, op)
    await world.send(scene.bob, scene.chat_id)
    await world.edit(scene.ada, scene.message_id)
    before = await db.row("select to_jsonb(c) - 'last_at' as chat from chats c where id = %s", scene.chat_id)
    assert (await MUTATIONS["send"](db, scene, op)).repeated
    assert await db.row("select to_jsonb(c) - 'last_at' as chat from chats c where id = %s", scene.chat_id) == before
    assert (await messages.send(db, scene.bob, key(), scene.chat_id, "Next", 50)).seq == before.chat["head_seq"] + 1


@pytest.mark.gen_test
async def test_keys_are_each_persons_own(db, world):
    scene, op = await _scene(world), key()
    await messages.send(db, scene.ada, op, scene.chat_id, "Ada's", 50)
    outcome = await messages.send(db, scene.bob, op, scene.chat_id, "Bob's", 50)
    assert not outcome.repeated and outcome.answer["content"] == "Bob's"


@pytest.mark.gen_test
async def test_both_people_creating_their_direct_chat_at_once_get_one(db, world, together, opened):
    instances = (db, await opened())
    ada, bob = await world.users(2)
    outcomes = await together(
        chats.create(instance, one, key(), "direct", None, None, [other], 10)
        for one, other in ((ada, bob), (bob, ada))
        for instance in instances
    )
    assert len({outcome.answer["id"] for outcome in outcomes}) == 1
    assert [outcome.repeated for outcome in outcomes].count(False) == 1
    assert sum(len(outcome.events) for outcome in outcomes) == 1


PAUSE_AFTER_INSERT = """
create function pause() returns trigger language plpgsql as $$ begin perform pg_advisory_xact_lock(42); return null; end $$;
create trigger pause after insert on chats for each statement execute function pause();
"""


@pytest.mark.gen_test
async def test_a_direct_chat_deleted_while_it_is_created_again_is_created(opened, new_database):
    """The other one is in the way of the insertion and gone when it is looked for."""
    url = new_database()
    db, holder = await opened(url), await opened(url, size=1)
    world = World(db)
    ada, bob = await world.users(2)
    old = await world.direct(ada, bob)
    await db.rows(PAUSE_AFTER_INSERT + "select 1")
    await holder.rows("select pg_advisory_lock(42)")
    creating = asyncio.ensure_future(chats.create(db, ada, key(), "direct", None, None, [bob], 10))
    await until(lambda: db.rows("select from pg_locks where locktype = 'advisory' and not granted"))
    await chats.delete(db, bob, key(), old)
    await holder.rows("select pg_advisory_unlock(42)")
    outcome = await creating
    assert outcome.answer["id"] != old and outcome.answer["participantIds"] == sorted([ada, bob])
    assert [event.channel for event in outcome.events] == ["chatAdded"]


# After the chat went on


@pytest.mark.gen_test
async def test_a_retried_send_answers_the_message_as_it_now_reads(db, world):
    scene, op = await _scene(world), key()
    first = await messages.send(db, scene.ada, op, scene.chat_id, "Hello", 50)
    await world.edit(scene.ada, first.answer["id"], "Goodbye")
    again = await messages.send(db, scene.ada, op, scene.chat_id, "Hello", 50)
    assert again.answer["id"] == first.answer["id"] and again.answer["content"] == "Goodbye" and again.seq == first.seq


@pytest.mark.parametrize("name", ["send", "edit"])
@pytest.mark.gen_test
async def test_no_retry_answers_a_deleted_text(db, world, name):
    scene, op = await _scene(world), key()
    first = await MUTATIONS[name](db, scene, op)
    await world.delete(scene.ada, first.answer["id"])
    again = await MUTATIONS[name](db, scene, op)
    assert again.seq == first.seq and again.repeated
    assert (again.answer["content"], again.answer["isEdited"], again.answer["editedAt"]) == ("", False, None)
    assert again.answer["deletedAt"] > first.answer["createdAt"] and first.answer["deletedAt"] is None


@pytest.mark.parametrize("name", ["send", "edit", "delete message", "remove", "leave", "delete chat"])
@pytest.mark.parametrize("gone", ["removed", "deleted"])
@pytest.mark.gen_test
async def test_retries_that_show_nothing_of_others_still_answer_one_who_is_gone(db, world, name, gone):
    scene, op = await _scene(world), key()
    first = await MUTATIONS[name](db, scene, op)
    if name not in ("leave", "delete chat"):
        await (
            world.remove(scene.ada, scene.chat_id, scene.ada)
            if gone == "removed"
            else chats.delete(db, scene.ada, key(), scene.chat_id)
        )
    again = await MUTATIONS[name](db, scene, op)
    assert (again.repeated, again.seq, again.events) == (True, first.seq, [])
    if name in ("send", "edit"):
        assert again.answer == first.answer


@pytest.mark.parametrize("name", SHOWING)
@pytest.mark.parametrize("gone", ["removed", "deleted"])
@pytest.mark.gen_test
async def test_no_retry_shows_a_chat_to_one_who_is_gone(db, world, name, gone):
    """Or else a key kept from better days would tell the removed the chat's name and people whenever they ask."""
    scene, op = await _scene(world), key()
    chat_id = (await MUTATIONS[name](db, scene, op)).answer["id"]
    await (
        world.remove(scene.ada, chat_id, scene.ada)
        if gone == "removed"
        else chats.delete(db, scene.ada, key(), chat_id)
    )
    with refused("not_found", None):
        await MUTATIONS[name](db, scene, op)
