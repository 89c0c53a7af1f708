"""The digest of an operation."""

import orjson
from hypothesis import given
from hypothesis import strategies as st

from chat.events import digest
from tests.chat.conftest import quick

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
