"""Chats: who may change and leave them, what is told of it, and a participant's list."""

import asyncio
from contextlib import closing

import psycopg2
import pytest

from chat import chats, messages
from chat.events import Event
from tests.chat.conftest import key, refused, until


async def _members(db, chat_id):
    return await db.rows("select * from participants where chat_id = %s order by user_id", chat_id)


def _group(db, actor, others, **changed):
    values = {"name": "Trip", "description": "To the sea", "most": 100, **changed}
    return chats.create(db, actor, key(), "group", values["name"], values["description"], others, values["most"])


def _direct(db, actor, others, name=None, description=None):
    return chats.create(db, actor, key(), "direct", name, description, others, 100)


# Creating


@pytest.mark.gen_test
async def test_a_group_is_its_creators_with_everybody_in_it(db, world):
    ada, bob, cy = await world.users(3)
    outcome = await _group(db, ada, [cy, bob])
    chat = outcome.answer
    assert (chat["name"], chat["description"], chat["chatType"], chat["ownerId"]) == (
        "Trip",
        "To the sea",
        "group",
        ada,
    )
    assert chat["participantIds"] == sorted([ada, bob, cy]) and chat["createdAt"] == chat["updatedAt"]
    data = {name: value for name, value in chat.items() if name != "ownerId"}
    assert outcome.events == [Event("chatAdded", chat["id"], 1, data)] and outcome.seq == 1


@pytest.mark.gen_test
async def test_a_group_may_be_of_one_and_names_nobody_twice(db, world):
    ada, bob = await world.users(2)
    assert (await _group(db, ada, [])).answer["participantIds"] == [ada]
    assert (await _group(db, ada, [ada, bob, bob.upper()])).answer["participantIds"] == sorted([ada, bob])


@pytest.mark.gen_test
async def test_a_group_has_a_bound(db, world):
    ada, *others = await world.users(4)
    with refused("too_many_participants", "participantIds"):
        await _group(db, ada, others, most=3)
    chat_id = (await _group(db, ada, others[:2], most=3)).answer["id"]
    with refused("too_many_participants", "userIds"):
        await world.add(ada, chat_id, others[2], most=3)
    await world.add(ada, chat_id, others[0], most=3)  # is in it
    assert len(await _members(db, chat_id)) == 3 and await world.head(chat_id) == 1


@pytest.mark.gen_test
async def test_people_added_at_the_same_time_do_not_pass_the_bound_together(db, world, together):
    ada, *others = await world.users(5)
    chat_id = await world.group(ada)
    outcomes = await together(world.add(ada, chat_id, other, most=3) for other in others)
    assert (
        sorted(getattr(outcome, "code", "added") for outcome in outcomes)
        == ["added"] * 2 + ["too_many_participants"] * 2
    )
    assert len(await _members(db, chat_id)) == 3


@pytest.mark.gen_test
async def test_nobody_who_does_not_exist_is_put_into_a_chat(db, world):
    ada, bob = await world.users(2)
    with refused("not_found", "participantIds"):
        await _group(db, ada, [bob, key()])
    with refused("not_found", "participantIds"):
        await _direct(db, ada, [key()])
    with refused("not_found", "userIds"):
        await world.add(ada, await world.group(ada), bob, key())


@pytest.mark.gen_test
async def test_a_direct_chat_is_of_two_different_people_and_has_no_name(db, world):
    ada, bob, cy = await world.users(3)
    for others in ([], [bob, cy], [bob, bob], [ada], [ada.upper()]):
        with refused("invalid_value", "participantIds"):
            await _direct(db, ada, others)
    with refused("invalid_value", "name"):
        await _direct(db, ada, [bob], name="Us")
    with refused("invalid_value", "description"):
        await _direct(db, ada, [bob], description="Us")
    chat = (await _direct(db, ada, [bob])).answer
    assert (chat["name"], chat["description"], chat["ownerId"]) == (None, None, None)
    assert chat["participantIds"] == sorted([ada, bob])


@pytest.mark.gen_test
async def test_creating_a_direct_chat_again_answers_the_one_that_is_there(db, world):
    ada, bob = await world.users(2)
    first = await _direct(db, ada, [bob])
    for one, other in ((ada, bob), (bob, ada)):
        again = await _direct(db, one, [other])
        assert again.answer == first.answer and (again.repeated, again.seq, again.events) == (True, None, [])


@pytest.mark.gen_test
async def test_a_deleted_direct_chat_can_be_created_anew(db, world):
    ada, bob = await world.users(2)
    old = await world.direct(ada, bob)
    message_id = await world.send(ada, old)
    await chats.delete(db, bob, key(), old)
    new = await _direct(db, ada, [bob])
    assert new.answer["id"] != old and not new.repeated and new.seq == 1
    with refused("not_found"):
        await chats.get(db, ada, old)
    with refused("not_found"):
        await messages.page(db, ada, new.answer["id"], around=message_id)


# Changing


@pytest.mark.gen_test
async def test_any_participant_renames_and_describes_a_group(db, world):
    ada, bob = await world.users(2)
    chat_id = (await _group(db, ada, [bob])).answer["id"]
    outcome = await chats.update(db, bob, key(), chat_id, {"name": "Journey"})
    assert (outcome.answer["name"], outcome.answer["description"]) == ("Journey", "To the sea")
    data = {name: value for name, value in outcome.answer.items() if name != "ownerId"}
    assert outcome.events == [Event("chatUpdated", chat_id, 2, data)]
    assert outcome.answer["updatedAt"] >= outcome.answer["createdAt"] and outcome.answer["ownerId"] == ada
    outcome = await chats.update(db, bob, key(), chat_id, {"description": None})
    assert (outcome.answer["name"], outcome.answer["description"]) == ("Journey", None)


@pytest.mark.gen_test
async def test_direct_chats_are_fixed(db, world):
    ada, bob, cy = await world.users(3)
    chat_id = await world.direct(ada, bob)
    for attempt in (
        chats.update(db, ada, key(), chat_id, {"name": "Us"}),
        world.add(ada, chat_id, cy),
        world.remove(ada, chat_id, bob),
        world.remove(ada, chat_id, ada),
    ):
        with refused("direct_chat_is_fixed"):
            await attempt
    assert await world.head(chat_id) == 1


@pytest.mark.gen_test
async def test_either_of_the_two_deletes_a_direct_chat(db, world):
    ada, bob = await world.users(2)
    for one in (ada, bob):
        chat_id = await world.direct(ada, bob)
        outcome = await chats.delete(db, one, key(), chat_id)
        assert outcome.events[0].channel == "chatUpdated" and outcome.events[0].data["participantIds"] == []


@pytest.mark.gen_test
async def test_any_participant_adds_people_in_one_event(db, world):
    ada, bob, cy, dan = await world.users(4)
    chat_id = await world.group(ada, bob)
    outcome = await world.add(bob, chat_id, cy, dan, ada)
    assert outcome.answer["participantIds"] == sorted([ada, bob, cy, dan])
    assert [(event.channel, event.seq) for event in outcome.events] == [("chatUpdated", 2)]
    joined = {row.user_id: row for row in await _members(db, chat_id)}
    assert joined[ada].joined_seq == 1 and joined[cy].joined_seq == joined[cy].read_seq == 2


@pytest.mark.gen_test
async def test_adding_those_who_are_in_it_changes_nothing(world):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    outcome = await world.add(ada, chat_id, bob, ada)
    assert (outcome.repeated, outcome.seq, outcome.events) == (True, None, [])
    assert await world.head(chat_id) == 1


# Leaving


@pytest.mark.gen_test
async def test_the_owner_removes_others_and_nobody_else_does(world):
    ada, bob, cy = await world.users(3)
    chat_id = await world.group(ada, bob, cy)
    for other in (ada, cy):
        with refused("not_the_owner"):
            await world.remove(bob, chat_id, other)
    outcome = await world.remove(ada, chat_id, bob)
    assert outcome.answer["participantIds"] == sorted([ada, cy]) == outcome.events[0].data["participantIds"]
    assert [(event.channel, event.seq) for event in outcome.events] == [("chatUpdated", 2)]
    assert (await world.log(chat_id))[-1].user_id == bob
    for missing in (bob, key()):
        with refused("not_found", "userId"):
            await world.remove(ada, chat_id, missing)


@pytest.mark.gen_test
async def test_when_the_owner_leaves_the_one_longest_there_becomes_owner(db, world):
    ada, bob, cy, dan = await world.users(4)
    chat_id = await world.group(ada, bob)
    await world.add(ada, chat_id, dan)
    await world.add(ada, chat_id, cy)
    await world.remove(ada, chat_id, bob)
    await world.add(ada, chat_id, bob)  # back, but now the newest
    assert (await world.remove(ada, chat_id, ada)).answer["ownerId"] == dan
    assert (await world.remove(cy, chat_id, cy)).answer["ownerId"] == dan  # somebody else leaving changes nothing
    assert (await world.remove(dan, chat_id, bob)).answer["participantIds"] == [dan]


@pytest.mark.gen_test
async def test_when_the_last_one_leaves_the_chat_is_deleted(db, world):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    await world.remove(ada, chat_id, ada)
    outcome = await world.remove(bob, chat_id, bob)
    assert outcome.answer["participantIds"] == [] and outcome.seq == 3
    row = await db.row("select deleted_at, participant_count from chats where id = %s", chat_id)
    assert row.deleted_at is not None and row.participant_count == 0
    with refused("not_found"):
        await world.add(bob, chat_id, bob)


@pytest.mark.gen_test
async def test_two_leaving_at_once_leave_an_owner_who_is_there_or_nobody(db, world, together):
    for stays in (True, False):
        ada, bob, cy = await world.users(3)
        chat_id = await world.group(ada, bob, *([cy] if stays else []))
        await together([world.remove(ada, chat_id, ada), world.remove(bob, chat_id, bob)])
        row = await db.row("select owner_id, deleted_at, participant_count from chats where id = %s", chat_id)
        assert [member.user_id for member in await _members(db, chat_id)] == ([cy] if stays else [])
        assert (row.deleted_at is None) == stays and row.participant_count == stays
        assert not stays or row.owner_id == cy


@pytest.mark.gen_test
async def test_only_the_owner_deletes_a_group_and_for_everybody(db, world):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    with refused("not_the_owner"):
        await chats.delete(db, bob, key(), chat_id)
    outcome = await chats.delete(db, ada, key(), chat_id)
    assert outcome.events[0].data["participantIds"] == [] and outcome.seq == 2
    for person in (ada, bob):
        with refused("not_found", None):
            await world.send(person, chat_id)
        assert (await chats.page(db, person))["items"] == []
    with refused("not_found", None):
        await chats.delete(db, ada, key(), chat_id)


@pytest.mark.gen_test
async def test_the_count_of_participants_follows_every_coming_and_going(db, world, together):
    people = await world.users(4)
    ada, bob, cy, dan = people
    chat_id = await world.group(ada, bob)
    await together([world.add(ada, chat_id, cy, dan), world.add(ada, chat_id, dan), world.remove(bob, chat_id, bob)])
    await world.remove(ada, chat_id, cy)
    row = await db.row("select participant_count from chats where id = %s", chat_id)
    assert row.participant_count == len(await _members(db, chat_id)) == 2


@pytest.mark.gen_test
async def test_every_coming_and_going_changes_the_membership_version_of_those_it_is_about(db, world):
    ada, bob, cy = await world.users(3)

    async def versions():
        rows = await db.rows("select id, membership_version from users where id = any(%s::uuid[])", [ada, bob, cy])
        found = {row.id: row.membership_version for row in rows}
        return [found[person] for person in (ada, bob, cy)]

    chat_id = await world.group(ada, bob)
    assert await versions() == [1, 1, 0]
    await world.add(ada, chat_id, cy, bob)
    assert await versions() == [1, 1, 1]
    await world.remove(ada, chat_id, bob)
    assert await versions() == [1, 2, 1]
    await world.send(ada, chat_id)
    await chats.update(db, ada, key(), chat_id, {"name": "New"})
    assert await versions() == [1, 2, 1]
    await chats.delete(db, ada, key(), chat_id)
    assert await versions() == [2, 2, 2]


@pytest.mark.gen_test
async def test_people_are_locked_in_the_order_of_their_ids(db, world, database):
    """Or else two who add the same people to two chats wait for each other. Who waits for the first holds none of the others."""
    owner, *people = await world.users(6)
    first, *others = sorted(people)
    chat_id = await world.group(owner)
    with closing(psycopg2.connect(database)) as holder, holder.cursor() as cursor:
        cursor.execute("select from users where id = %s for no key update", (first,))
        adding = asyncio.ensure_future(world.add(owner, chat_id, *others, first))
        await until(lambda: db.rows("select from pg_locks where not granted"))
        cursor.execute("select from users where id = any(%s::uuid[]) for no key update nowait", (others,))
        holder.commit()
    assert (await adding).seq == 2


@pytest.mark.gen_test
async def test_the_same_people_can_be_put_into_many_chats_at_once(world, together):
    owner, *people = await world.users(9)
    made = [await world.group(owner) for _ in range(4)]
    orders = [people, people[::-1]]
    outcomes = await together(
        [
            *(world.add(owner, chat_id, *orders[number % 2]) for number, chat_id in enumerate(made)),
            *(chats.create(world.db, owner, key(), "group", None, None, orders[number], 100) for number in range(2)),
        ]
    )
    assert all(outcome.seq for outcome in outcomes)


# Rights


@pytest.mark.gen_test
async def test_what_is_foreign_and_what_is_missing_answer_alike(db, world):
    ada, bob, eve = await world.users(3)
    group, direct = await world.group(ada, bob), await world.direct(ada, bob)
    for chat_id in (group, direct, key()):
        for attempt in (
            chats.get(db, eve, chat_id),
            chats.update(db, eve, key(), chat_id, {"name": "Mine"}),
            world.add(eve, chat_id, eve),
            world.remove(eve, chat_id, ada),
            world.remove(eve, chat_id, eve),
            chats.delete(db, eve, key(), chat_id),
        ):
            with refused("not_found", None):
                await attempt
    with refused("not_found", None):
        await world.add(eve, group, key())  # nor does it tell whether a third exists
    assert await world.head(group) == await world.head(direct) == 1


@pytest.mark.gen_test
async def test_is_participant(db, world):
    ada, eve = await world.users(2)
    chat_id = await world.group(ada)
    assert await chats.is_participant(db, ada, chat_id) is True
    assert await chats.is_participant(db, eve, chat_id) is False
    assert await chats.is_participant(db, ada, key()) is False


# Views


@pytest.mark.gen_test
async def test_a_view_has_head_unread_last_message_and_watermarks(db, world):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    first = await world.send(bob, chat_id, "one")
    await world.read(ada, first)
    await world.send(bob, chat_id, "two")
    last = await world.send(bob, chat_id, "three")
    view = await chats.get(db, ada, chat_id)
    assert (view["head"], view["unreadCount"]) == (4, 2)
    assert view["lastMessage"] == (await messages.page(db, ada, chat_id))["items"][-1]
    marks = {mark["userId"]: mark for mark in view["watermarks"]}
    assert (marks[ada]["messageId"], marks[ada]["seq"]) == (first, 2) and marks[ada]["readAt"]
    assert (marks[bob]["messageId"], marks[bob]["seq"]) == (last, 4)
    assert (await chats.page(db, ada))["items"] == [
        {name: value for name, value in view.items() if name != "watermarks"}
    ]


@pytest.mark.gen_test
async def test_one_who_has_read_nothing_since_joining_has_an_empty_watermark(db, world):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada)
    await world.send(ada, chat_id)
    await world.add(ada, chat_id, bob)
    marks = {mark["userId"]: mark for mark in (await chats.get(db, bob, chat_id))["watermarks"]}
    assert marks[bob] == {"userId": bob, "messageId": None, "seq": 3, "readAt": None}


@pytest.mark.gen_test
async def test_the_last_message_passes_over_deleted_ones(db, world):
    ada = await world.user()
    chat_id = await world.group(ada)
    first, second = await world.send(ada, chat_id, "one"), await world.send(ada, chat_id, "two")
    await world.delete(ada, second)
    assert (await chats.get(db, ada, chat_id))["lastMessage"]["id"] == first
    await world.delete(ada, first)
    assert (await chats.get(db, ada, chat_id))["lastMessage"] is None


# The list


async def _listed(db, actor, **how):
    page = await chats.page(db, actor, **how)
    return [item["id"] for item in page["items"]], page["next"]


@pytest.mark.gen_test
async def test_the_list_has_the_most_recently_active_first(db, world):
    ada, bob = await world.users(2)
    first, second, third = [await world.group(ada, bob, name=str(number)) for number in range(3)]
    for number, chat_id in enumerate((first, second, third)):  # the clock's milliseconds are too coarse for a test
        await db.rows(
            "update chats set active_at = active_at - make_interval(secs => %s) where id = %s returning 1",
            10 - number,
            chat_id,
        )
    assert await _listed(db, ada) == ([third, second, first], None)
    await world.send(bob, first)
    assert await _listed(db, ada) == ([first, third, second], None)
    await chats.update(db, ada, key(), second, {"name": "A rename is no activity"})
    assert await _listed(db, ada) == ([first, third, second], None)


@pytest.mark.gen_test
async def test_pages_of_the_list_hold_every_chat_once_also_of_one_moment(db, world):
    ada = await world.user()
    made = [await world.group(ada) for _ in range(7)]
    await db.rows("update chats set active_at = now() where id = any(%s::uuid[]) returning 1", made[:5])
    seen, after = [], None
    while True:
        ids, after = await _listed(db, ada, after=after, limit=3)
        seen += ids
        if after is None:
            break
        assert len(ids) == 3 and after == ids[-1]
    assert sorted(seen) == sorted(made)
    assert (await _listed(db, ada, limit=7))[1] is None


@pytest.mark.gen_test
async def test_no_chat_is_passed_over_when_the_cursors_chat_becomes_active(db, world):
    ada, bob = await world.users(2)
    made = [await world.group(ada, bob) for _ in range(4)]
    for number, chat_id in enumerate(made):
        await db.rows(
            "update chats set active_at = active_at - make_interval(secs => %s) where id = %s returning 1",
            10 - number,
            chat_id,
        )
    first, after = await _listed(db, ada, limit=2)
    await world.send(bob, after)
    rest, _ = await _listed(db, ada, after=after)
    assert set(first) | set(rest) == set(made)


@pytest.mark.gen_test
async def test_a_cursor_that_is_no_chat_of_ones_own_is_refused_not_taken_for_the_end(db, world):
    ada, bob = await world.users(2)
    for _ in range(2):
        await world.group(ada)
    left, foreign = await world.group(bob, ada), await world.group(bob)
    await world.remove(ada, left, ada)
    for after in (left, foreign, key()):
        with refused("invalid_value", "after"):
            await chats.page(db, ada, after=after)


@pytest.mark.gen_test
async def test_the_list_is_of_ones_own_chats(db, world):
    ada, bob, eve = await world.users(3)
    await world.group(ada, bob)
    own = await world.group(eve)
    assert await _listed(db, eve) == ([own], None)
