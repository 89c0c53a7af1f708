"""Who may watch, over `/ws/activity`."""

import asyncio
import json

import pytest
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect


@pytest.fixture(scope="module")
def open_house(serve):
    return serve(DEMO="true")


async def watch(served, client=None, **headers):
    signed = {"Authorization": f"Bearer {client.token}"} if client else {}
    return await websocket_connect(
        HTTPRequest(served.url.replace("http", "ws") + "/ws/activity", headers={**signed, **headers})
    )


async def closed(socket):
    while await socket.read_message() is not None:
        pass
    return socket.close_code


async def first(socket, kind):
    """The next frame of a type."""
    while True:
        frame = json.loads(await asyncio.wait_for(socket.read_message(), 10))
        if frame["type"] == kind:
            return frame


@pytest.mark.gen_test
async def test_with_demo_everybody_who_is_signed_in_may_watch(open_house):
    user = open_house.user()
    socket = await watch(open_house, user)
    assert (await first(socket, "welcome"))["instance"] == "web.1"
    report = (await first(socket, "activity"))["report"]
    assert report["sockets"] == 0
    chat = user.chat()
    seq = user.say(chat, "A secret")["seq"]
    steps, told = set(), []
    while not steps >= {"accepted", "committed", "published", "received"}:
        frame = await first(socket, "activity")
        told.append(json.dumps(frame))
        steps |= {point["step"] for point in frame["points"] if (point["chatId"], point["seq"]) == (chat, seq)}
    assert "A secret" not in "".join(told) and user.id not in "".join(told)
    socket.close()


@pytest.mark.gen_test
async def test_elsewhere_the_owner_may_watch_and_nobody_else(serve, open_house):
    served = serve(SIGN_UP="open")
    owner, other = served.user(), served.user()
    assert await closed(await watch(open_house)) == 4401
    assert await closed(await watch(served, other)) == 4403
    assert not served.node.activity.viewers
    socket = await watch(served, owner)
    assert await first(socket, "welcome")
    socket.close()


@pytest.mark.gen_test
async def test_a_page_of_another_site_may_not_watch(open_house):
    with pytest.raises(HTTPClientError) as refused:
        await watch(open_house, open_house.user(), Origin="https://evil.example")
    assert refused.value.code == 403


@pytest.mark.gen_test
async def test_a_viewer_says_nothing(open_house):
    socket = await watch(open_house, open_house.user())
    await first(socket, "welcome")
    socket.write_message("hello")
    assert await closed(socket) == 4400


@pytest.mark.gen_test
async def test_signing_out_ends_watching(open_house):
    user = open_house.user()
    socket = await watch(open_house, user)
    await first(socket, "welcome")
    assert (await asyncio.to_thread(user.post, "/api/sign-out")).status == 204
    assert await closed(socket) == 4401


def test_the_page_is_for_those_who_may_watch(serve, open_house):
    assert open_house.client().get("/activity").headers["Location"] == "/sign-in?next=%2Factivity"
    served = serve(SIGN_UP="open")
    owner, other = served.browser(), served.browser()
    page = owner.get("/activity")
    assert page.status == 200 and b"lanes-canvas" in page.body and b'id="demo"' not in page.body
    refused = other.get("/activity")
    assert refused.status == 403 and b"lanes-canvas" not in refused.body
    assert b'id="demo"' in open_house.browser().get("/activity").body


def test_after_signing_in_one_is_sent_on_to_it(open_house):
    assert open_house.browser().get("/sign-in?next=/activity").headers["Location"] == "/activity"


def test_the_menu_leads_those_there_who_may_watch(serve, open_house):
    served = serve(SIGN_UP="open")
    owner, other = served.browser(), served.browser()
    marks = [browser.get("/").body.count(b'data-may-watch="yes"') for browser in (owner, other, open_house.browser())]
    assert marks == [1, 0, 1]
