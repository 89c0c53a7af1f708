"""The digest of an operation, and the order of what it publishes."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat import chats, messages
from chat.channels import LOGGED
from chat.events import digest
from tests.chat.conftest import key, quick

texts = st.text(max_size=20)
simple = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | texts
values = simple | st.lists(simple, max_size=3)


def test_a_digest_is_the_same_in_every_process_and_release():
    """It is kept in the database and compared by whichever instance the retry reaches."""
    assert digest("send", "5f0c3a0e-0000-4000-8000-000000000001", "Hello, wörld") == 8974250578152145644
    assert digest("update", "chat", {"name": None, "description": "x"}) == -3218702647217940437


def test_a_digest_does_not_hang_on_the_order_of_a_bodys_fields():
    assert digest("update", "chat", {"name": "a", "description": "b"}) == digest(
        "update", "chat", {"description": "b", "name": "a"}
    )


@given(st.lists(texts, max_size=4))
@quick
def test_a_digest_is_a_signed_number_of_64_bits(parts):
    assert -(2**63) <= digest(*parts) < 2**63


@given(st.lists(values, max_size=4), st.lists(values, max_size=4))
@quick
def test_different_operations_have_different_digests(one, other):
    assert (digest(*one) == digest(*other)) == (orjson.dumps(one) == orjson.dumps(other))


@pytest.mark.gen_test
async def test_the_logged_event_of_a_mutation_comes_first(db, world):
    """An instance looks at that one to see whether work is owed for the chat."""
    ada, bob, eve = await world.users(3)
    outcomes = [await chats.create(db, ada, key(), "group", "A group", None, [bob], 100)]
    chat_id = outcomes[0].answer["id"]
    for sender in (ada, bob):  # the second one's watermark moves as well
        outcomes.append(await messages.send(db, sender, key(), chat_id, "Hello", 50))
    message_id = outcomes[1].answer["id"]
    outcomes += [
        await world.edit(ada, message_id),
        await world.delete(ada, message_id),
        await world.add(ada, chat_id, eve),
        await world.remove(ada, chat_id, eve),
        await chats.delete(db, ada, key(), chat_id),
    ]
    assert all(outcome.events[0].channel in LOGGED for outcome in outcomes)
