"""Which release an upgrade starts from."""

import pytest

from faults import releases
from faults.clients import FIRST_RELEASE
from faults.mutants import NEW_KIND
from faults.releases import Release, Upgrade
from faults.rig import speeches
from local.builds import HERE

TEXT = """
# a comment
aaaaaaa  refuses-unknown-kinds

bbbbbbb  # the second
ccccccc
"""
A, B, C = Release("aaaaaaa", True), Release("bbbbbbb", False), Release("ccccccc", False)


def full(commit):
    return commit[0] * 40


def test_a_line_is_a_commit_and_what_it_cannot_do():
    assert releases.parse(TEXT) == [A, B, C]


def test_a_word_that_means_nothing_is_refused():
    with pytest.raises(ValueError, match="'refuses-all' of aaaaaaa"):
        releases.parse("aaaaaaa refuses-all")


def test_the_list_begins_with_the_release_that_refuses_unknown_kinds():
    first, *others = releases.parse(releases.LIST.read_text(encoding="utf-8"))
    assert first == Release("24ff65e", True)
    assert not any(release.refuses_unknown_kinds for release in others)


@pytest.mark.parametrize(("head", "release"), [("d" * 40, C), ("c" * 40, B)])
def test_the_release_before_is_the_newest_that_is_not_checked_out(head, release):
    assert releases.before([A, B, C], head, full) == release


def test_there_is_none_before_the_first():
    with pytest.raises(ValueError, match="no release before"):
        releases.before([A], "a" * 40, full)


def test_half_of_the_clients_speak_as_the_first_release_and_half_ask_for_what_is_new():
    then, now = speeches(Upgrade(HERE, new_kinds=True))
    assert then == FIRST_RELEASE and NEW_KIND in now["channels"]
    assert NEW_KIND not in str(speeches(Upgrade(HERE, new_kinds=False)))


def test_without_an_upgrade_clients_ask_for_the_default():
    assert speeches(None) == ({}, {})
