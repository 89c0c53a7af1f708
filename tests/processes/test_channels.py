"""Another program on the same Redis sees the documented objects, in the documented order, under each channel's own key."""

import asyncio
import uuid

import pytest

from tests.client import OBJECTS

MOST_COUNTS = 4


@pytest.fixture(scope="module")
def parley(module_cluster):
    return module_cluster(instances=2, nginx=False, env={"UNREAD_PUBLISH_LIMIT": str(MOST_COUNTS)})


class Heard:
    """What one operation published."""

    def __init__(self, messages):
        self.channels = [channel for channel, _ in messages]
        self.objects = [body[channel] for channel, body in messages]
        self.meta = [body["_"] for _, body in messages]
        for channel, body in messages:
            assert list(body) == [channel, "_"], "the object under the channel's own key, ours beside it"
            assert list(body[channel]) == OBJECTS[channel]

    def check_meta(self, chat_id, seq, name):
        """Of all but states, whose seq means something else."""
        assert len({meta["epoch"] for meta in self.meta}) == 1
        for channel, meta in zip(self.channels, self.meta, strict=True):
            assert (meta["v"], meta["chatId"], meta["from"]) == (1, chat_id, name)
            assert set(meta) - {"readSeq", "unread", "head"} == {"v", "chatId", "seq", "epoch", "from"}
            assert ("readSeq" in meta) == (channel == "unreadCountUpdated")
            assert "head" not in meta or channel == "messageReadUpdated"
            if channel not in ("unreadCountUpdated", "messageReadUpdated"):
                assert meta["seq"] == seq


@pytest.mark.gen_test
async def test_each_operation_publishes_what_the_table_of_its_ways_says_and_nothing_else(parley, party):
    web_1, web_2 = (instance.url for instance in parley.instances)
    ann, ben, cid = await party.users(web_1, 3)
    listener = await party.listen(parley)

    async def heard(count, seq, name, chat_id):
        found = Heard(await listener.take(count))
        found.check_meta(chat_id, seq, name)
        return found

    # Create
    body = {"chatType": "group", "name": "Channels", "description": "All of them", "participantIds": [ben.id]}
    created = await ann.do("POST", "/api/chats", body)
    chat = created.body["id"]
    found = await heard(1, 1, "web.1", chat)
    assert found.channels == ["chatAdded"]
    assert found.objects == [{name: created.body[name] for name in OBJECTS["chatAdded"]}]
    assert found.objects[0]["participantIds"] == sorted([ann.id, ben.id])

    # Add, rename, describe
    added = await ann.do("POST", f"/api/chats/{chat}/participants", {"userIds": [cid.id]}, at=web_2)
    found = await heard(1, 2, "web.2", chat)
    assert found.channels == ["chatUpdated"]
    assert found.objects == [{name: added.body[name] for name in OBJECTS["chatAdded"]}]
    for change in ({"name": "Another"}, {"description": None}):
        changed = await ben.do("PATCH", f"/api/chats/{chat}", change)
        found = await heard(1, changed.seq, "web.1", chat)
        assert found.channels == ["chatUpdated"]
        assert found.objects == [{name: changed.body[name] for name in OBJECTS["chatAdded"]}]

    # Send: to people who have read everything, and by one who had not
    first = await ann.send(chat, "One", at=web_2)
    message = {name: first[name] for name in OBJECTS["messageAdded"]}
    notice = {"chatId": chat, "message": message, "senderId": ann.id}
    found = await heard(5, 5, "web.2", chat)
    assert found.channels == ["messageAdded", "chatMessageNotification", "messageUpdateForChatList"] + 2 * [
        "unreadCountUpdated"
    ]
    assert found.objects[:3] == [message, notice, notice]
    assert message["isEdited"] is False and message["editedAt"] is None
    counts = sorted(found.objects[3:], key=lambda count: count["userId"])
    assert counts == [{"chatId": chat, "userId": user, "unreadCount": 1} for user in sorted([ben.id, cid.id])]

    second = await ben.send(chat, "Two")
    found = await heard(7, 6, "web.1", chat)
    assert found.channels[:3] == ["messageAdded", "chatMessageNotification", "messageUpdateForChatList"]
    assert found.channels[3:] == 3 * ["unreadCountUpdated"] + ["messageReadUpdated"]
    counts = {count["userId"]: count["unreadCount"] for count in found.objects[3:6]}
    assert counts == {ann.id: 1, ben.id: 0, cid.id: 2}
    assert found.objects[6] == {"messageId": second["id"], "userId": ben.id, "readAt": second["createdAt"]}

    # Edit
    edited = (await ann.do("PATCH", f"/api/messages/{first['id']}", {"content": "One, edited"})).body
    found = await heard(1, 7, "web.1", chat)
    assert found.channels == ["messageUpdated"]
    assert found.objects == [{name: edited[name] for name in OBJECTS["messageAdded"]}]
    assert edited["isEdited"] is True and edited["editedAt"] is not None

    # Read
    read = (await cid.do("PUT", f"/api/messages/{first['id']}/read", at=web_2)).body
    found = await heard(2, None, "web.2", chat)
    assert found.channels == ["messageReadUpdated", "unreadCountUpdated"]
    assert found.objects == [read, {"chatId": chat, "userId": cid.id, "unreadCount": 1}]
    assert found.meta[0]["seq"] == first["seq"]

    # Delete a message: ann and cid have not read it, ben wrote it
    deleted = await ben.do("DELETE", f"/api/messages/{second['id']}", at=web_2)
    found = await heard(3, deleted.seq, "web.2", chat)
    assert found.channels == ["messageDeleted"] + 2 * ["unreadCountUpdated"]
    assert found.objects[0] == {"id": second["id"], "chatId": chat}
    assert {count["userId"]: count["unreadCount"] for count in found.objects[1:]} == {ann.id: 0, cid.id: 0}

    # Remove, leave, delete the chat
    removed = await ann.do("DELETE", f"/api/chats/{chat}/participants/{cid.id}")
    found = await heard(1, removed.seq, "web.1", chat)
    assert (found.channels, found.objects[0]["participantIds"]) == (["chatUpdated"], sorted([ann.id, ben.id]))
    left = await ben.do("DELETE", f"/api/chats/{chat}/participants/{ben.id}", at=web_2)
    found = await heard(1, left.seq, "web.2", chat)
    assert (found.channels, found.objects[0]["participantIds"]) == (["chatUpdated"], [ann.id])
    gone = await ann.do("DELETE", f"/api/chats/{chat}")
    found = await heard(1, gone.seq, "web.1", chat)
    assert (found.channels, found.objects[0]["participantIds"]) == (["chatUpdated"], [])
    assert listener.silent


@pytest.mark.gen_test
async def test_what_changes_nothing_publishes_nothing(parley, party):
    web_1, web_2 = (instance.url for instance in parley.instances)
    (ann, ben), chat = await party.group(web_1, 2)
    message = await ann.send(chat)
    await ben.do("PUT", f"/api/messages/{message['id']}/read")
    direct = {"chatType": "direct", "participantIds": [ben.id]}
    await ann.do("POST", "/api/chats", direct)
    gone = await ann.send(chat)
    listener = await party.listen(parley)
    await ann.do("DELETE", f"/api/messages/{gone['id']}")
    while (await listener.take(1))[0][0] != "messageDeleted":
        pass  # the last that changes something
    await listener.take(1)  # and its count

    await ben.do("PUT", f"/api/messages/{message['id']}/read", at=web_2)
    assert (await ben.do("POST", "/api/chats", {**direct, "participantIds": [ann.id]}, at=web_2)).status == 200
    await ann.do("POST", f"/api/chats/{chat}/participants", {"userIds": [ben.id]}, at=web_2)
    await ann.do("DELETE", f"/api/messages/{gone['id']}", at=web_2)
    for refused in (
        await ben.request("PATCH", f"/api/messages/{message['id']}", {"content": "Mine"}, at=web_2),
        await ben.request("DELETE", f"/api/chats/{chat}", at=web_2),
        await ben.request("POST", f"/api/chats/{uuid.uuid4()}/messages", {"content": "?"}, at=web_2),
    ):
        assert refused.code in ("not_the_sender", "not_the_owner", "not_found")

    last = await ann.do("PATCH", f"/api/chats/{chat}", {"name": "The end"}, at=web_2)
    found = Heard(await listener.take(1))
    assert (found.channels, found.meta[0]["seq"]) == (["chatUpdated"], last.seq)


@pytest.mark.gen_test
async def test_a_large_chat_publishes_no_counts_and_its_sockets_get_them_nevertheless(parley, party):
    web_1, web_2 = (instance.url for instance in parley.instances)
    people, chat = await party.group(web_1, MOST_COUNTS + 1)
    ann, ben, *others = people
    streams = await asyncio.gather(
        *(party.open(user, at) for user, at in zip(people, 3 * (web_1, web_2), strict=False))
    )
    listener = await party.listen(parley)
    messages = [await ann.send(chat, f"message {number}") for number in range(3)]
    found = Heard(await listener.take(9))
    assert set(found.channels) == {"messageAdded", "chatMessageNotification", "messageUpdateForChatList"}
    assert [meta.get("unread") for meta in found.meta] == 9 * ["derive"]
    for stream in streams[1:]:
        await stream.until(lambda stream=stream: stream.unread.get(chat) == 3, 2, "the count")
    assert streams[0].unread.get(chat, 0) == 0

    await ann.do("DELETE", f"/api/messages/{messages[0]['id']}", at=web_2)
    found = Heard(await listener.take(1))
    assert found.meta[0]["unread"] == "derive"
    for stream in streams[1:]:
        await stream.until(lambda stream=stream: stream.unread.get(chat) == 2, 2, "the count")
    assert listener.silent


@pytest.mark.gen_test
async def test_other_programs_on_our_channels_disturb_nobody(parley, party):
    """What is no envelope of ours is ignored, and so is an event of another history."""
    web_1, web_2 = (instance.url for instance in parley.instances)
    (ann, ben), chat = await party.group(web_1, 2)
    stream = await party.open(ben, web_2)
    listener = await party.listen(parley)
    await ann.send(chat, "Before")
    (_, body), *_ = await listener.take(4)
    strangers = [
        b"", b"\xff\xfe", b"null", b"[1]", b'{"messageAdded": {}}', b'{"messageAdded": {}, "_": {"v": 2}}',
        b'{"messageAdded": null, "_": {"v": 1, "chatId": "x", "seq": 1, "epoch": "e", "from": "f"}}',
    ]  # fmt: skip
    for channel in OBJECTS:
        for payload in strangers:
            await listener.publish(channel, payload)
    foreign = {**body, "_": {**body["_"], "seq": body["_"]["seq"] + 1, "epoch": str(uuid.uuid4())}}
    await listener.publish("messageAdded", foreign)
    await listener.publish("messageAdded", body)  # a double

    await ann.send(chat, "After")
    await stream.until(lambda: stream.contents(chat)[-1:] == ["After"], 2)
    assert stream.contents(chat) == ["Before", "After"]
