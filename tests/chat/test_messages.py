"""Messages: one gapless order whoever writes, once for each key, by those who may, and the pages of the history."""

import asyncio
import random
from contextlib import closing

import psycopg2
import pytest

from chat import chats, messages, payloads, search
from errors import Refused
from tests.chat.conftest import World, key, refused, until

# One order


async def _mixed_work(world, actor, chat_id, others, seed, rounds):
    """The seqs of what one writer did: sends, edits, deletions, renames, people added and removed, messages read."""
    chance, own, seqs = random.Random(seed), [], []
    for number in range(rounds):
        what = chance.choice(("send", "send", "send", "edit", "delete", "rename", "add", "remove", "read"))
        if what == "rename":
            outcome = await chats.update(world.db, actor, key(), chat_id, {"name": f"{seed} {number}"})
        elif what in ("add", "remove"):
            try:
                outcome = await getattr(world, what)(actor, chat_id, chance.choice(others))
            except Refused:  # they are out already, or the actor may not remove
                continue
        elif what == "send" or not own:
            outcome = await messages.send(world.db, actor, key(), chat_id, f"{seed} {number}", 50)
            own.append(outcome.answer["id"])
        elif what == "edit":
            outcome = await world.edit(actor, own[-1])
        elif what == "delete":
            outcome = await world.delete(actor, own.pop())
        else:
            outcome = await world.read(actor, own[-1])
        if outcome.seq is not None:
            seqs.append(outcome.seq)
    return seqs


@pytest.mark.gen_test
async def test_eight_writers_on_two_instances_leave_one_order_without_gap_or_double(db, world, opened):
    writers, others = await world.users(8), await world.users(3)
    chat_id = await world.group(*writers)
    worlds = [world, World(await opened())]
    taken = await asyncio.gather(
        *(_mixed_work(worlds[number % 2], writer, chat_id, others, number, 25) for number, writer in enumerate(writers))
    )
    head = await world.head(chat_id)
    assert sorted(seq for seqs in taken for seq in seqs) == list(range(2, head + 1))
    assert all(seqs == sorted(seqs) for seqs in taken)
    log = await world.log(chat_id)
    assert [event.seq for event in log] == list(range(1, head + 1))
    times = [event.at for event in log]
    assert times == sorted(times)
    sent = await db.rows("select seq, ordinal, created_at from messages where chat_id = %s order by seq", chat_id)
    assert [row.ordinal for row in sent] == list(range(1, len(sent) + 1))
    assert [row.created_at for row in sent] == [event.at for event in log if event.kind == "messageAdded"]


@pytest.mark.gen_test
async def test_times_do_not_run_back_when_the_databases_clock_does(db, world):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    await db.rows("update chats set last_at = now_ms() + interval '1 hour' where id = %s returning 1", chat_id)
    message_id = await world.send(ada, chat_id)
    await world.edit(ada, message_id)
    await chats.update(db, ada, key(), chat_id, {"name": "Later"})
    await world.delete(ada, message_id)
    await world.remove(ada, chat_id, bob)
    log = await world.log(chat_id)
    first, *rest = [event.at for event in log]
    assert all(at == rest[0] for at in rest) and (rest[0] - first).total_seconds() > 3500


@pytest.mark.gen_test
async def test_two_senders_of_one_moment_are_both_kept(world, opened, together):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    elsewhere = World(await opened())
    await together([world.send(ada, chat_id, "from Ada"), elsewhere.send(bob, chat_id, "from Bob")])
    page = await messages.page(world.db, ada, chat_id)
    assert {item["content"] for item in page["items"]} == {"from Ada", "from Bob"}


# What is published


@pytest.mark.gen_test
async def test_sending_publishes_the_message_its_projections_and_the_counts_of_the_others(world):
    ada, bob, cy = await world.users(3)
    chat_id = await world.group(ada, bob, cy)
    outcome = await messages.send(world.db, ada, key(), chat_id, "Hello", 50)
    seq = outcome.seq
    message = {field: value for field, value in outcome.answer.items() if field not in ("seq", "deletedAt")}
    assert outcome.answer["seq"] == seq == 2 and outcome.answer["deletedAt"] is None
    assert (message["content"], message["senderId"], message["chatId"]) == ("Hello", ada, chat_id)
    assert (message["isEdited"], message["editedAt"]) == (False, None)
    assert [(event.channel, event.chat_id, event.seq) for event in outcome.events] == [
        ("messageAdded", chat_id, seq),
        ("chatMessageNotification", chat_id, seq),
        ("messageUpdateForChatList", chat_id, seq),
        ("unreadCountUpdated", chat_id, seq),
        ("unreadCountUpdated", chat_id, seq),
    ]
    assert outcome.events[0].data == message
    assert outcome.events[1].data == outcome.events[2].data == {"chatId": chat_id, "message": message, "senderId": ada}
    assert {event.data["userId"]: event.data["unreadCount"] for event in outcome.events[3:]} == {bob: 1, cy: 1}


@pytest.mark.gen_test
async def test_sending_over_unread_messages_publishes_that_they_are_read(world):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    await world.send(bob, chat_id)
    outcome = await messages.send(world.db, ada, key(), chat_id, "Answer", 50)
    counts = {
        event.data["userId"]: event.data["unreadCount"]
        for event in outcome.events
        if event.channel == "unreadCountUpdated"
    }
    assert counts == {ada: 0, bob: 1}
    last = outcome.events[-1]
    assert (last.channel, last.seq) == ("messageReadUpdated", outcome.seq)
    assert last.data == {"messageId": outcome.answer["id"], "userId": ada, "readAt": outcome.answer["createdAt"]}


@pytest.mark.gen_test
async def test_editing_publishes_the_edited_message_alone(world):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    message_id = await world.send(ada, chat_id)
    outcome = await world.edit(ada, message_id, "Better")
    assert [event.channel for event in outcome.events] == ["messageUpdated"]
    data = outcome.events[0].data
    assert (data["content"], data["isEdited"]) == ("Better", True) and data["editedAt"] >= data["createdAt"]
    assert outcome.answer == {**data, "deletedAt": None, "seq": 2} and outcome.seq == outcome.events[0].seq == 3


@pytest.mark.gen_test
async def test_deleting_publishes_ids_and_the_counts_that_changed(world):
    ada, bob, cy = await world.users(3)
    chat_id = await world.group(ada, bob, cy)
    first = await world.send(ada, chat_id, "Secret")
    await world.read(bob, first)
    outcome = await world.delete(ada, first)
    assert [event.channel for event in outcome.events] == ["messageDeleted", "unreadCountUpdated"]
    assert outcome.events[0].data == {"id": first, "chatId": chat_id}
    assert outcome.events[1].data == {"chatId": chat_id, "userId": cy, "unreadCount": 0}  # Bob had read it
    assert outcome.answer is None and outcome.seq == outcome.events[0].seq == 3


@pytest.mark.gen_test
async def test_in_a_large_chat_instances_derive_the_counts(world):
    ada, bob, cy = await world.users(3)
    chat_id = await world.group(ada, bob, cy)
    outcome = await messages.send(world.db, ada, key(), chat_id, "Hello", 2)
    assert [event.channel for event in outcome.events] == [
        "messageAdded",
        "chatMessageNotification",
        "messageUpdateForChatList",
    ]
    assert [event.meta for event in outcome.events] == 3 * [{"unread": "derive"}]
    outcome = await world.delete(ada, outcome.answer["id"], limit=2)
    assert [(event.channel, event.meta) for event in outcome.events] == [("messageDeleted", {"unread": "derive"})]
    outcome = await messages.send(world.db, ada, key(), chat_id, "Hello", 3)
    assert outcome.events[0].meta == {} and len(outcome.events) == 5


@pytest.mark.gen_test
async def test_a_deleted_messages_text_is_nowhere_in_the_database(db, world):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    message_id = await world.send(ada, chat_id, "The secret word is xyzzy")
    await search.index(db, {chat_id: 0}, 10)
    await world.edit(ada, message_id, "The secret word is plugh")
    await world.delete(ada, message_id)
    row = await db.row("select content, edited_at, deleted_at from messages where id = %s", message_id)
    assert (row.content, row.edited_at) == ("", None) and row.deleted_at is not None
    for table in ("chat_events", "message_words", "deletions"):
        found = await db.row(f"select count(*) as n from {table} t where t::text ~ 'xyzzy|plugh'")
        assert found.n == 0, table


# Rights


@pytest.mark.gen_test
async def test_what_is_foreign_and_what_is_missing_answer_alike(db, world):
    ada, bob, eve = await world.users(3)
    chat_id = await world.group(ada, bob)
    message_id = await world.send(ada, chat_id)
    for chat, message in ((chat_id, message_id), (key(), key())):
        with refused("not_found", None):
            await messages.send(db, eve, key(), chat, "Let me in", 50)
        with refused("not_found", None):
            await messages.edit(db, eve, key(), message, "Changed")
        with refused("not_found", None):
            await messages.delete(db, eve, key(), message, 50)
        with refused("not_found", None):
            await messages.page(db, eve, chat)
        for where in ("before", "after", "around"):
            with refused("not_found", None):
                await messages.page(db, eve, chat, **{where: message})
    assert await world.head(chat_id) == 2


@pytest.mark.gen_test
async def test_only_its_sender_edits_a_message(world):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    message_id = await world.send(bob, chat_id)
    with refused("not_the_sender"):
        await world.edit(ada, message_id)  # the owner neither
    assert (await world.edit(bob, message_id, "Mine")).answer["content"] == "Mine"


@pytest.mark.gen_test
async def test_its_sender_or_the_groups_owner_deletes_a_message(world):
    ada, bob, cy = await world.users(3)
    chat_id = await world.group(ada, bob, cy)
    for deleter in (bob, ada):
        message_id = await world.send(bob, chat_id)
        with refused("not_the_sender"):
            await world.delete(cy, message_id)
        assert (await world.delete(deleter, message_id)).seq is not None


@pytest.mark.gen_test
async def test_in_a_direct_chat_nobody_deletes_the_others_messages(world):
    ada, bob = await world.users(2)
    chat_id = await world.direct(ada, bob)
    message_id = await world.send(bob, chat_id)
    with refused("not_the_sender"):
        await world.delete(ada, message_id)


@pytest.mark.gen_test
async def test_one_who_was_removed_can_do_nothing_to_old_messages(world):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    message_id = await world.send(bob, chat_id)
    await world.remove(ada, chat_id, bob)
    for attempt in (
        world.edit(bob, message_id),
        world.delete(bob, message_id),
        world.send(bob, chat_id),
        messages.page(world.db, bob, chat_id),
    ):
        with refused("not_found", None):
            await attempt


@pytest.mark.gen_test
async def test_a_deleted_message_stays_deleted(world):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    message_id = await world.send(bob, chat_id)
    await world.delete(bob, message_id)
    with refused("message_is_deleted"):
        await world.edit(bob, message_id)
    again = await world.delete(ada, message_id)
    assert again.repeated and again.seq is None and again.events == []
    assert await world.head(chat_id) == 3


@pytest.mark.gen_test
async def test_of_a_removal_and_a_sending_at_once_the_first_to_have_the_chat_counts(world, together):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    removal, sending = await together([world.remove(ada, chat_id, bob), world.send(bob, chat_id)])
    log = await world.log(chat_id)
    assert all(event.seq < removal.seq for event in log if event.actor_id == bob)
    assert isinstance(sending, Refused) == (len(log) == 2)


@pytest.mark.gen_test
async def test_one_removed_while_their_message_waits_does_not_send_it(world, database):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    with closing(psycopg2.connect(database)) as removing, removing.cursor() as cursor:
        cursor.execute("select remove_participant(%s, gen_random_uuid(), 1, %s, %s)", (ada, chat_id, bob))
        sending = asyncio.ensure_future(world.send(bob, chat_id))
        await until(lambda: world.db.rows("select from pg_locks where not granted"))
        removing.commit()
    with refused("not_found", None):
        await sending
    assert await world.head(chat_id) == 2


# Pages


async def _history(world, count):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    return ada, chat_id, [await world.send(bob, chat_id, str(number)) for number in range(count)]


def _ids(page):
    return [item["id"] for item in page["items"]]


@pytest.mark.gen_test
async def test_the_newest_page_leads_back_to_the_beginning(db, world):
    ada, chat_id, sent = await _history(world, 7)
    page = await messages.page(db, ada, chat_id, limit=3)
    assert _ids(page) == sent[4:] and page["next"] == sent[4]
    page = await messages.page(db, ada, chat_id, before=page["next"], limit=3)
    assert _ids(page) == sent[1:4] and page["next"] == sent[1]
    page = await messages.page(db, ada, chat_id, before=page["next"], limit=3)
    assert _ids(page) == sent[:1] and page["next"] is None


@pytest.mark.gen_test
async def test_pages_after_a_message_lead_to_the_end(db, world):
    ada, chat_id, sent = await _history(world, 6)
    page = await messages.page(db, ada, chat_id, after=sent[0], limit=3)
    assert _ids(page) == sent[1:4] and page["next"] == sent[3]
    page = await messages.page(db, ada, chat_id, after=page["next"], limit=3)
    assert _ids(page) == sent[4:] and page["next"] is None
    assert await messages.page(db, ada, chat_id, after=sent[-1]) == {"items": [], "next": None}
    assert await messages.page(db, ada, chat_id, before=sent[0]) == {"items": [], "next": None}


@pytest.mark.parametrize("limit", [5, 6])
@pytest.mark.gen_test
async def test_a_full_last_page_has_no_next(db, world, limit):
    ada, chat_id, sent = await _history(world, 6)
    page = await messages.page(db, ada, chat_id, before=sent[5], limit=limit)
    assert _ids(page) == sent[:5] and page["next"] is None
    page = await messages.page(db, ada, chat_id, after=sent[0], limit=limit)
    assert _ids(page) == sent[1:] and page["next"] is None


@pytest.mark.parametrize(
    ("anchor", "limit", "first", "last"),
    [(4, 4, 3, 6), (4, 5, 2, 6), (4, 1, 4, 4), (4, 2, 4, 5), (0, 4, 0, 2), (8, 4, 7, 8), (4, 100, 0, 8)],
)
@pytest.mark.gen_test
async def test_a_page_around_a_message_holds_it_and_half_on_either_side(db, world, anchor, limit, first, last):
    ada, chat_id, sent = await _history(world, 9)
    page = await messages.page(db, ada, chat_id, around=sent[anchor], limit=limit)
    assert _ids(page) == sent[first : last + 1] and page["next"] is None


@pytest.mark.gen_test
async def test_deleted_messages_stay_in_their_place_as_tombstones(db, world):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    sent = [await world.send(bob, chat_id, text) for text in ("one", "two", "three")]
    await world.edit(bob, sent[1], "two and a half")
    await world.delete(bob, sent[1])
    page = await messages.page(db, ada, chat_id)
    assert [item["content"] for item in page["items"]] == ["one", "", "three"]
    tombstone = page["items"][1]
    event = (await world.log(chat_id))[-1]
    assert [item["deletedAt"] for item in page["items"]] == [None, payloads.iso(event.at), None]
    assert (tombstone["isEdited"], tombstone["editedAt"], tombstone["id"], tombstone["seq"]) == (
        False,
        None,
        sent[1],
        3,
    )
    assert _ids(await messages.page(db, ada, chat_id, around=sent[1])) == sent
    assert _ids(await messages.page(db, ada, chat_id, after=sent[1])) == sent[2:]


@pytest.mark.gen_test
async def test_a_message_of_another_chat_is_no_anchor(db, world):
    ada, chat_id, sent = await _history(world, 2)
    other_chat = await world.group(ada)
    other = await world.send(ada, other_chat)
    for where in ("before", "after", "around"):
        for anchor in (other, key()):
            with refused("not_found", where):
                await messages.page(db, ada, chat_id, **{where: anchor})


@pytest.mark.gen_test
async def test_a_page_has_one_anchor(db, world):
    ada, chat_id, sent = await _history(world, 2)
    with refused("invalid_value", "around"):
        await messages.page(db, ada, chat_id, after=sent[0], around=sent[1])


@pytest.mark.gen_test
async def test_a_chat_without_messages_has_an_empty_page(db, world):
    ada = await world.user()
    assert await messages.page(db, ada, await world.group(ada)) == {"items": [], "next": None}


@pytest.mark.gen_test
async def test_one_who_joins_later_sees_what_was_said_before(db, world):
    ada, chat_id, sent = await _history(world, 3)
    dan = await world.user()
    await world.add(ada, chat_id, dan)
    assert _ids(await messages.page(db, dan, chat_id)) == sent


class _RemovedMeanwhile:
    """A database in which somebody is removed, and something said, between the two halves of what one call reads."""

    def __init__(self, db, removal):
        self._db, self._removal = db, removal

    async def row(self, sql, *parameters):
        return await self._db.row(sql, *parameters)

    async def rows(self, sql, *parameters):
        await self._removal()
        return await self._db.rows(sql, *parameters)


@pytest.mark.parametrize("where", ["before", "after", "around"])
@pytest.mark.gen_test
async def test_what_is_said_after_the_removal_is_on_no_page_of_the_removed(db, world, where):
    ada, bob = await world.users(2)
    chat_id = await world.group(ada, bob)
    anchor = await world.send(ada, chat_id, "Hello Bob")

    async def removal():
        await world.remove(ada, chat_id, bob)
        await world.send(ada, chat_id, "Now that Bob is gone")

    page = await messages.page(
        _RemovedMeanwhile(db, removal), bob, chat_id, **({} if where == "before" else {where: anchor})
    )
    assert page["items"] == []
