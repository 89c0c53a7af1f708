"""Who is online, as it is seen by people whose browsers are connected to different instances."""

import urllib.request

import pytest
from playwright.sync_api import expect


@pytest.fixture(scope="module")
def parley(browser, module_cluster):
    return module_cluster(instances=2, env={"PRESENCE_BEAT_SECONDS": "1.5", "PRESENCE_GRACE_SECONDS": "4"})


def dot(place):
    return place.locator(".online-dot")


@pytest.fixture
def there(parley):
    return [instance.url for instance in parley.instances]


def test_a_dot_says_who_is_online_in_the_list_the_header_the_details_and_the_picker(person, window, there):
    ada, bob, cem = person("Ada"), person("Bob"), person("Cem")
    direct, group = ada.direct(bob), ada.group("Harvest", bob, cem)
    hers = window(ada, f"/chats/{group}", at=there[0])
    hers.show_details()
    expect(hers.details.get_by_role("heading", name="3 people · 1 online")).to_be_visible()
    expect(hers.locator("#chat-header")).to_contain_text("3 people · 1 online")
    expect(dot(hers.row(direct))).to_have_count(0)

    his = window(bob, at=there[1], fresh=True)
    expect(dot(hers.row(direct))).to_be_visible()
    expect(hers.row(direct)).to_contain_text("Online")
    expect(hers.details.get_by_role("heading", name="3 people · 2 online")).to_be_visible()
    people = hers.locator("#participants")
    expect(dot(people.locator(f'[data-user-id="{bob.id}"]'))).to_be_visible()
    expect(dot(people.locator(f'[data-user-id="{cem.id}"]'))).to_have_count(0)
    hers.open_chat(direct)
    expect(hers.locator("#chat-header")).to_contain_text("Online · @")
    hers.get_by_role("button", name="New chat").click()
    expect(dot(hers.dialog.locator(f'.person-button[data-user-id="{bob.id}"]'))).to_be_visible()
    hers.page.keyboard.press("Escape")

    his.page.reload()
    his.is_live()
    expect(dot(hers.row(direct))).to_be_visible()
    his.page.close()
    expect(dot(hers.row(direct))).to_have_count(0)
    expect(hers.locator("#chat-header")).not_to_contain_text("Online")


def test_while_redis_is_dead_nobody_is_said_to_be_online(parley, person, window, there):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    hers, _ = window(ada, f"/chats/{chat}", at=there[0]), window(bob, at=there[1])
    expect(dot(hers.row(chat))).to_be_visible()
    parley.valkey.kill()
    try:
        expect(dot(hers.row(chat))).to_have_count(0)
        hers.say("and messages flow")
        hers.shows("and messages flow")
    finally:
        parley.valkey.start()
    expect(dot(hers.row(chat))).to_be_visible()


def knows_two(instance) -> bool:
    with urllib.request.urlopen(f"{instance.url}/metrics") as answer:
        return "\nparley_online_users 2.0" in answer.read().decode()


def test_a_deploy_does_not_flicker(parley, person, window):
    ada, bob = person("Ada"), person("Bob")
    chat = ada.direct(bob)
    hers, his = window(ada), window(bob)
    expect(dot(hers.row(chat))).to_be_visible()
    for one in (hers, his):
        one.expects_no_network()
    hers.page.evaluate("""() => {
      window.flickers = 0;
      const watch = () => (window.flickers += document.querySelector("#chats .online-dot") ? 0 : 1);
      new MutationObserver(watch).observe(document.querySelector("#chats"), { childList: true, subtree: true });
    }""")
    first = hers.instances[-1]
    for name in (first, "web.2" if first == "web.1" else "web.1"):
        instance = next(one for one in parley.instances if one.name == name)
        instance.stop()
        instance.start()
        hers.is_live()
        # As a deploy does, which goes on to the next one when this one is ready: it has listened for one beat and knows everybody.
        hers.until(lambda instance=instance: knows_two(instance), f"{name} knows who is online")
    ada.say(chat, "after the deploy")
    expect(hers.row(chat)).to_contain_text("after the deploy")
    expect(dot(hers.row(chat))).to_be_visible()
    assert hers.page.evaluate("() => flickers") == 0
