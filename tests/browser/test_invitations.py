"""A new server in the browser: its owner, the link to share, and who comes by it."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.person import PASSWORD


@pytest.fixture(scope="module")
def parley(browser, module_cluster):
    """A server on which nobody is yet, by invitation."""
    return module_cluster(instances=2, env={"SIGN_UP": "invited"})


def sign_up(window, name, username):
    window.get_by_label("Your name").fill(name)
    window.get_by_label("Username").fill(username)
    window.get_by_label("Password", exact=True).fill(PASSWORD)
    window.get_by_role("button", name="Create account").click()
    window.is_at("/")
    window.is_live()


def test_the_first_one_owns_the_server_and_invites_others_by_a_link(window, parley):
    owner = window(path="/", fresh=True, permissions=["clipboard-read", "clipboard-write"])
    owner.is_at("/sign-up")
    expect(owner.get_by_text("You are the first: this account will own the server.")).to_be_visible()
    sign_up(owner, "Ada", "ada")
    card = owner.locator("#invite-card")
    card.get_by_role("button", name="Copy").click()
    expect(card.get_by_role("button", name="Copied")).to_be_visible()
    link = owner.page.evaluate("() => navigator.clipboard.readText()")
    assert re.fullmatch(re.escape(parley.url) + r"/join/[\w-]{22}", link)
    owner.page.reload()
    expect(card.get_by_label("Link to share")).to_have_value(link)  # the same one, and no other

    # Nobody else gets in without it.
    stranger = window(path="/sign-in", fresh=True)
    expect(stranger.get_by_text("Ask the server's owner for an invitation")).to_be_visible()
    stranger.goto("/sign-up")
    expect(stranger.get_by_role("heading", name="By invitation only")).to_be_visible()
    stranger.goto(link.removeprefix(parley.url))
    expect(stranger.get_by_text("Ada invites you to chat on")).to_be_visible()
    sign_up(stranger, "Bob", "bob")
    expect(stranger.get_by_role("heading", name="Hello, Bob")).to_be_visible()
    expect(stranger.locator("#invite-card")).to_have_count(0)
    stranger.goto("/settings")
    expect(stranger.locator("[data-session-id]")).to_have_count(1)
    expect(stranger.locator("#settings-invitations")).to_have_count(0)

    # A withdrawn link is worth nothing, and says so.
    owner.goto("/settings")
    invitation = owner.locator("#settings-invitations [data-invitation-id]")
    expect(invitation).to_contain_text("1 of 50 joined")
    invitation.get_by_role("button", name="Withdraw").click()
    owner.locator("[data-confirm]").click()
    expect(invitation).to_have_count(0)
    owner.get_by_label("For how many").select_option("for 1 person")
    owner.get_by_label("Valid for").select_option("for 1 day")
    owner.get_by_role("button", name="Create invitation link").click()
    expect(invitation).to_contain_text("Valid until tomorrow · 0 of 1 joined")
    late = window(path=None, fresh=True)
    late.expects("status of 410")
    late.goto(link.removeprefix(parley.url))
    expect(late.get_by_role("heading", name="This invitation was withdrawn")).to_be_visible()
    # Whatever the owner is called stays a word.
    hostile = "<img src=x onerror=window.hacked=1>"
    owner.get_by_label("Your name").fill(hostile)
    owner.get_by_role("button", name="Save name").click()
    expect(owner.locator("#settings").get_by_text("Saved")).to_be_visible()
    late.goto(invitation.get_by_label("Link to share").input_value().removeprefix(parley.url))
    expect(late.get_by_text(f"{hostile} invites you")).to_be_visible()
    sign_up(late, "Cleo", "cleo")
    for one in (owner, late):
        assert one.page.evaluate("() => window.hacked") is None
