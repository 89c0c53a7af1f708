"""Who hears each channel, and who does not, on whichever instance they are."""

import pytest

from chat.channels import CHANNELS
from tests.client import PROJECTIONS, STATES

EVERYTHING = [*PROJECTIONS, *STATES]
NAMES = ("owner", "member", "far", "plain", "removed", "outsider")


@pytest.fixture(scope="module")
def parley(module_cluster):
    return module_cluster(instances=2, nginx=False)


class Stage:
    """Six people with sockets: an owner and three members of a group, one who was removed from it, and one who never was in it.

    `far` is on the other instance; `plain` asks for none of the projections and states. All six share a second chat: once a message
    in it has arrived everywhere, whatever came before it has arrived as well.
    """

    @classmethod
    async def set(cls, parley, party):
        self = cls()
        here, there = (instance.url for instance in parley.instances)
        self.people = dict(zip(NAMES, await party.users(here, len(NAMES)), strict=True))
        owner, member, far, plain, removed, _ = self.people.values()
        self.fence = await owner.group(*list(self.people.values())[1:], name="Fence")
        self.streams = {}
        for name, user in self.people.items():
            channels = [] if name == "plain" else EVERYTHING
            self.streams[name] = await party.open(
                user, there if name in ("far", "removed", "outsider") else here, channels=channels
            )
        self.heard_from = {}
        self.mark()
        self.chat = await owner.group(member, far, plain, removed)
        # Letting somebody in asks the database first, and between chats there is no order: the fence could be there before.
        for name in ("owner", "member", "far", "plain", "removed"):
            await self.streams[name].until(lambda name=name: self.chat in self.streams[name].cursors)
        assert await self.heard("chatAdded") == {"owner", "member", "far", "plain", "removed"}
        await owner.do("DELETE", f"/api/chats/{self.chat}/participants/{removed.id}")
        # The one event after which they hear nothing.
        assert await self.heard("chatUpdated") == {"owner", "member", "far", "plain", "removed"}
        return self

    def mark(self):
        self.heard_from = {name: len(stream.frames) for name, stream in self.streams.items()}

    async def heard(self, channel) -> set:
        """Who has been sent something of this channel about the chat since the last call."""
        text = f"fence {sum(self.heard_from.values())}"
        await self.people["outsider"].send(self.fence, text)
        for stream in self.streams.values():
            await stream.until(lambda stream=stream: stream.arrival(text))
        return {
            name
            for name, stream in self.streams.items()
            for _, frame in stream.frames[self.heard_from[name] :]
            if (frame.get("chatId"), frame.get("channel")) == (self.chat, channel)
        }

    async def after(self, channel, action) -> set:
        self.mark()
        await action
        return await self.heard(channel)


@pytest.mark.gen_test(timeout=60)
async def test_each_channel_reaches_its_audience_and_nobody_else(parley, party):
    stage = await Stage.set(parley, party)
    owner, member, far = (stage.people[name] for name in ("owner", "member", "far"))
    inside, asking = {"owner", "member", "far", "plain"}, {"owner", "member", "far"}
    path = f"/api/chats/{stage.chat}"
    tested = {"chatAdded", "chatUpdated"}

    async def expect(channel, audience, action):
        assert await stage.after(channel, action) == audience, channel
        tested.add(channel)

    await expect("chatUpdated", inside, member.do("PATCH", path, {"description": "Changed"}))
    await expect("messageAdded", inside, owner.send(stage.chat, "One"))
    await expect("chatMessageNotification", asking - {"far"}, far.send(stage.chat, "Two"))
    await expect("messageUpdateForChatList", asking - {"member"}, member.send(stage.chat, "Three"))
    message = await member.send(stage.chat, "Four")
    await expect("messageReadUpdated", asking, owner.do("PUT", f"/api/messages/{message['id']}/read"))
    await expect("unreadCountUpdated", {"far"}, far.do("PUT", f"/api/messages/{message['id']}/read"))
    await expect("messageUpdated", inside, member.do("PATCH", f"/api/messages/{message['id']}", {"content": "Five"}))
    await expect("messageDeleted", inside, member.do("DELETE", f"/api/messages/{message['id']}"))
    assert tested == set(CHANNELS)


@pytest.mark.gen_test(timeout=60)
async def test_an_unread_count_goes_to_the_one_it_counts_for(parley, party):
    stage = await Stage.set(parley, party)
    await stage.people["owner"].send(stage.chat, "Count me")
    await stage.heard("messageAdded")
    for name in ("member", "far"):
        assert stage.streams[name].unread[stage.chat] == 1
    counted = {
        name
        for name, stream in stage.streams.items()
        for frame in stream.of_type("state")
        if frame["channel"] == "unreadCountUpdated" and frame["data"]["userId"] != stage.people[name].id
    }
    assert not counted
