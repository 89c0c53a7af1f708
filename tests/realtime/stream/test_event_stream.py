"""The whole of realtime/ but its sockets and its Redis, in schedules that nobody would think of.

Several instances, the truth in memory, clients that check the protocol. Events are lost, doubled, reordered and delayed; the
database's answers are held back while others overtake them; sockets stall and drain, break and come back elsewhere.
"""

import asyncio
import json
import logging
import random
import selectors
from collections import deque
from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import metrics
import realtime.bus.chat_subscriptions
import realtime.head_checks
import realtime.node
import realtime.stream.join_buffer
import realtime.stream.reconciler
from chat import event_log, head_check, memberships, reads, unread
from chat.channels import CHANNELS, DEFAULT, LOGGED
from chat.events import Event
from errors import Unavailable
from realtime.bus.channel_names import channel_of
from realtime.limits import Limits
from realtime.node import Node
from realtime.stream.event_stream import EventStream
from tests.realtime.client import Client
from tests.realtime.stream.test_hub import new_hub
from tests.realtime.truth import START, Truth, uuid

USERS = [uuid(9, number) for number in range(4)]
LIMITS = Limits(replay_page=3, replay_limit=8, socket_buffer_bytes=700, hello_seconds=1e9)


class Idle(selectors.DefaultSelector):
    """Tells what an event loop would wait for, and lets it wait for nothing."""

    def __init__(self):
        super().__init__()
        self.seconds = 0.0  # until the next timer; 0 where something is ready, None where there is no timer
        self.on_idle = lambda: None

    def select(self, timeout=None):
        self.seconds = timeout
        if timeout is None or timeout > 1e-6:  # less is what is lost when times are added
            self.on_idle()
        return super().select(0)


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose clock stands still until it is told to move."""

    def __init__(self):
        self.clock = 0.0
        self._idle = Idle()
        super().__init__(self._idle)

    def time(self):
        return self.clock

    def settle(self):
        """Run until nothing is left to do at this time."""
        self._idle.on_idle = self.stop
        self.run_forever()
        self._idle.on_idle = lambda: None

    def advance(self, seconds):
        """Let time pass, and everything happen that is due."""
        end = self.clock + seconds
        self.settle()
        while self.clock < end:
            next_timer = end if self._idle.seconds is None else self.clock + self._idle.seconds
            self.clock = min(end, next_timer)
            self.settle()


class Question:
    """A question to the database on its way: asked, then read (the snapshot is taken), then answered."""

    def __init__(self, read):
        self._read = read
        self.future = asyncio.get_running_loop().create_future()
        self.snapshot = None

    def read(self):
        if self.snapshot is None:
            self.snapshot = [self._read()]

    def answer(self):
        self.read()
        if not self.future.done():
            self.future.set_result(self.snapshot[0])

    def refuse(self):
        if not self.future.done():
            self.future.set_exception(Unavailable("the simulation said so"))


def split(data):
    """The payloads of frames that follow each other."""
    while data:
        size, head = (data[1], 2) if data[1] < 126 else (int.from_bytes(data[2:4], "big"), 4)
        yield data[head : head + size]
        data = data[head + size :]


class Pipe:
    """The writer of a socket that takes everything at once, or nothing until it drains."""

    socket = number = None  # nothing goes straight to it

    def __init__(self, client, may_know, queue):
        self._client, self._may_know, self._queue = client, may_know, queue
        self._frames = deque()
        self._drained = None
        self.stalled = False
        self.open = True
        self.queued, self.unsent, self.progress_at = 0, 0, 0.0
        queue.busy.add(self)  # a broadcast is queued here, too

    def join(self):
        """A broadcast."""

    leave = join

    def send(self, data):
        if self._queue.broadcasts:
            self._queue.settle()
        assert self.open, "a frame after the close"
        for frame in split(data):
            payload = json.loads(frame)
            self._may_know(self._client, payload)
            self._frames.append((len(frame), payload))
            self.unsent += len(frame)
            if not self.stalled:
                self.drain(1)

    def drain(self, frames):
        """The client takes so many frames."""
        for _ in range(min(frames, len(self._frames))):
            size, payload = self._frames.popleft()
            self.unsent -= size
            self._client.take(payload)
        if not self.unsent and self._drained is not None:
            self._drained.set_result(None)
            self._drained = None

    def flush(self):
        pass

    async def drained(self):
        while self.unsent:
            if self._drained is None:
                self._drained = asyncio.get_running_loop().create_future()
            await self._drained


class Instance:
    """A `Node` whose Redis is the simulation's."""

    def __init__(self, world, number, scope):
        self.world = world
        self.inbox = []  # (address, payload) on their way from Redis; (None, future) is an acknowledgement
        self.changes = []  # (future, add, drop) on their way to Redis
        self.is_slow = False  # what it is to hear waits in `inbox`, and its changes in `changes`, until it is told to
        self.node = Node(None, "redis://nowhere", f"web.{number}", replace(LIMITS, channel_scope=scope))
        self.node.epoch = world.truth.epoch
        self.node._publisher = SimpleNamespace(up=True, publish=self.publish)
        self.node._subscriber = self.node._subscriptions._subscriber = SimpleNamespace(up=True, change=self.change)
        self.node._canary._heard = float("inf")
        self.subscribed = set(self.node.channel_names.everywhere)

    def publish(self, batch):
        if not self.node._publisher.up:
            return False
        for instance in self.world.instances:
            if instance.node._subscriber.up:
                instance.inbox += [message for message in batch if message[0] in instance.subscribed]
        self.world.deliver_promptly()
        return True

    async def change(self, add, drop):
        """Of what the instance is subscribed to; returns when it has heard the acknowledgement."""
        self.changes.append((asyncio.get_running_loop().create_future(), add, drop))
        future = self.changes[-1][0]
        if not self.is_slow:
            asyncio.get_running_loop().call_soon(self.world.deliver_promptly)
        await future

    def take_change(self):
        """A change reaches Redis."""
        future, add, drop = self.changes.pop(0)
        self.subscribed = self.subscribed - set(drop) | set(add)
        self.inbox.append((None, future))

    def lose_subscriber(self):
        """The connection breaks: nothing is subscribed to, and no change under way is acknowledged."""
        self.node._subscriber.up = False
        self.subscribed = set(self.node.channel_names.everywhere)
        futures = [future for future, *_ in self.changes] + [what for address, what in self.inbox if address is None]
        self.changes, self.inbox = [], [message for message in self.inbox if message[0] is not None]
        for future in futures:
            if not future.done():
                future.set_exception(ConnectionError("the simulation said so"))

    def hear(self, index, again=False):
        address, payload = self.inbox[index] if again else self.inbox.pop(index)
        if address is not None:
            self.node.inbox.receive(channel_of(address), payload)
        elif not payload.done():
            payload.set_result(None)


class Socket:
    """A client's connection to an instance."""

    def __init__(self, client, instance, may_know):
        self.client = client
        self.pipe = Pipe(client, may_know, instance.node.write_queue)
        self.code = None
        self.served = instance.node.connect(uuid(8, 0), client.user_id, self.pipe, self._close)

    def _close(self, code, reason):
        assert code in (1012, 1013) and reason != "internal error", f"closed with {code} {reason}"
        self.code, self.pipe.open = code, False


class World:
    """What happens, one step after another; after each, everything runs as far as it can.

    A step is the name of one of the methods below and three small numbers, which it takes as it likes.
    """

    def __init__(self, scopes=("all", "all")):
        random.seed(0)
        self.loop = Loop()
        asyncio.set_event_loop(self.loop)
        self.truth = Truth(USERS)
        self.patch = pytest.MonkeyPatch()
        for module, name, read in (
            (event_log, "replay", self.truth.replay),
            (memberships, "memberships", self.truth.memberships),
            (memberships, "standings", self.truth.standings),
            (head_check, "changes", self.truth.changes),
            (unread, "counts", self.truth.counts),
            (reads, "since", self.truth.since),
        ):
            self.patch.setattr(module, name, self._asked(read))
        for module in (
            realtime.node,
            realtime.head_checks,
            realtime.stream.join_buffer,
            realtime.stream.reconciler,
            realtime.bus.chat_subscriptions,
        ):
            self.patch.setattr(module, "time", SimpleNamespace(monotonic=self._seconds, time=self._seconds))
        self.errors = []
        self.handler = logging.Handler(logging.ERROR)
        self.handler.emit = lambda record: self.errors.append((record.getMessage(), record.exc_info))
        logging.getLogger("parley").addHandler(self.handler)
        self.loop.set_exception_handler(lambda _, context: self.errors.append(context))
        self.questions = []
        self.is_holding = False
        self.publications = []  # committed and not published yet
        self.clients = []
        self.pollers = [Client(user) for user in USERS]
        for client in self.pollers:
            client.is_waiting = False
            client._fetch = self._fetch(client)
        self.polls = []
        self.sockets = []
        self.instances = []
        for members in (USERS[:2], USERS[:3], USERS):
            self.truth.create(members[0], members)
        for number, scope in enumerate(scopes):
            self.instances.append(Instance(self, number, scope))
            self._do(asyncio.ensure_future, self.instances[-1].node.head_checks.run())
            self._do(asyncio.ensure_future, self.instances[-1].node._subscriptions.run())
        self.loop.advance(3)

    # Parts

    def _asked(self, read):
        async def ask(db, *arguments):
            if not self.is_holding:
                await asyncio.sleep(0)
                return read(*arguments)
            self.questions.append(Question(lambda: read(*arguments)))
            return await self.questions[-1].future

        return ask

    def _seconds(self):
        return (self.truth.now() - START).total_seconds()

    def _do(self, action, *arguments):
        async def run():
            action(*arguments)

        self.loop.run_until_complete(run())
        self.loop.settle()
        self._tidy()

    def _advance(self, seconds):
        self.loop.advance(seconds)
        self._tidy()

    def _tidy(self):
        self.sockets = [socket for socket in self.sockets if socket.code is None]
        self.questions = [question for question in self.questions if not question.future.done()]
        for poll in [poll for poll in self.polls if poll.done()]:
            self.polls.remove(poll)
            poll.result()
        assert not self.errors, self.errors
        for instance in self.instances:
            for stream in instance.node.hub.streams.values():
                for client, position in stream.behind.items():
                    assert position != stream.position, "a socket that has reached its instance is not let in"
                    assert position > stream.position or client.catching_up, "nobody catches this socket up"

    def deliver_promptly(self):
        for instance in self.instances:
            while (instance.inbox or instance.changes) and not instance.is_slow:
                instance.hear(0) if instance.inbox else instance.take_change()

    def _fetch(self, client):
        def fetch(chat_id):
            chat = self.truth.chats[chat_id]
            if client.user_id not in chat.members:
                return None
            watermarks = {user: member.read_seq for user, member in chat.members.items() if member.has_read}
            return chat.head, self.truth.unread(chat, client.user_id), watermarks

        return fetch

    def _may_know(self, client, frame):
        """What a socket is handed must have been committed before its user was removed."""
        if frame["type"] not in ("event", "state"):
            return
        data = frame["data"].get("message", frame["data"])
        times = [data[name] for name in ("createdAt", "editedAt", "updatedAt", "readAt") if data.get(name)]
        seq = 0 if frame["channel"] == "messageReadUpdated" else frame["seq"]
        at = max(map(datetime.fromisoformat, (time.replace("Z", "+00:00") for time in times)), default=START)
        assert self.truth.may_know(client.user_id, frame["chatId"], seq, at), (
            f"{client.user_id} was removed before {frame}"
        )

    def _chat(self, number):
        chats = list(self.truth.chats.values())
        return chats[number % len(chats)]

    def _instance(self, number):
        return self.instances[number % len(self.instances)]

    def _committed(self, events, number):
        """Publish what was committed, on one of the instances; or remember to."""
        if events:
            self.publications.append((self._instance(number), events, self.truth.commits))
            if number % 3 < 2:
                self._publish(-1)

    def _publish(self, index):
        instance, events, commit = self.publications.pop(index)
        self._do(instance.node.publish, events)

    # Commits

    def send(self, actor, chat, instance):
        self._committed(self.truth.send(USERS[actor % 4], self._chat(chat)), instance)

    def edit(self, message, chat, instance):
        self._touch("edit", message, chat, instance)

    def delete(self, message, chat, instance):
        self._touch("delete", message, chat, instance)

    def read(self, message, chat, instance):
        self._touch("read", message, chat, instance)

    def _touch(self, what, number, chat, instance):
        chat = self._chat(chat)
        if messages := list(chat.messages.values()):
            events = getattr(self.truth, what)(USERS[number % 4], chat, messages[-1 - number // 4 % len(messages)])
            self._committed(events, instance)

    def add(self, user, chat, instance):
        self._admit("add", user, chat, instance)

    def remove(self, user, chat, instance):
        self._admit("remove", user, chat, instance)

    def _admit(self, what, user, chat, instance):
        chat, user = self._chat(chat), USERS[user % 4]
        if members := sorted(chat.members):
            self._committed(getattr(self.truth, what)(members[0], chat, user), instance)

    def rename(self, actor, chat, instance):
        self._committed(self.truth.rename(USERS[actor % 4], self._chat(chat)), instance)

    def delete_chat(self, actor, chat, instance):
        if actor % 4 == 0:
            self._committed(self.truth.delete_chat(USERS[actor % 4], self._chat(chat)), instance)

    def create(self, actor, others, instance):
        if len(self.truth.chats) < 6:
            others = [user for number, user in enumerate(USERS) if others >> number & 1]
            self._committed(self.truth.create(USERS[actor % 4], others), instance)

    def prune(self, chat, number, _):
        self.truth.prune(self._chat(chat), 1 + number % 4)

    def begin_a_new_epoch(self, one, two, three):
        if one == two == 0:
            self.truth.new_epoch()

    # Publishing and hearing

    def publish(self, index, *_):
        if self.publications:
            self._publish(index % len(self.publications))

    def die_before_publishing(self, index, *_):
        if self.publications:
            self.publications.pop(index % len(self.publications))

    def be_slow_to_hear(self, instance, *_):
        self._instance(instance).is_slow = True

    def hear_everything(self, instance, *_):
        self._instance(instance).is_slow = False
        self._do(self.deliver_promptly)

    def subscribe(self, instance, *_):
        """A change of what the instance is subscribed to reaches Redis; it is acknowledged when the instance hears that."""
        if self._instance(instance).changes:
            self._instance(instance).take_change()

    def hear(self, instance, index, again):
        instance = self._instance(instance)
        if instance.inbox:
            self._do(instance.hear, index % len(instance.inbox), again % 3 == 0)

    def lose(self, instance, index, _):
        instance = self._instance(instance)
        if messages := [message for message in instance.inbox if message[0] is not None]:
            instance.inbox.remove(messages[index % len(messages)])

    def cut(self, instance, link, _):
        if link % 2:
            self._do(self._instance(instance).lose_subscriber)
        else:
            self._instance(instance).node._publisher.up = False

    def mend(self, instance, *_):
        self._do(self._mend, self._instance(instance).node)

    def _mend(self, node):
        if not node._subscriber.up:
            node._subscriber.up = True
            node._subscribed()
        node._publisher.up = True

    # The database

    def hold_answers(self, *_):
        self.is_holding = True

    def answer_everything(self, *_):
        self.is_holding = False
        while self.questions:
            self._do(self.questions[0].answer)

    def look(self, index, *_):
        """One question sees the database as it is now, and has its answer later."""
        if self.questions:
            self._do(self.questions[index % len(self.questions)].read)

    def answer(self, index, *_):
        if self.questions:
            self._do(self.questions[index % len(self.questions)].answer)

    def refuse(self, index, *_):
        if self.questions:
            self._do(self.questions[index % len(self.questions)].refuse)

    # Sockets

    def open(self, user, instance, asking):
        client = Client(USERS[user % 4], CHANNELS.keys() - LOGGED if asking % 2 else DEFAULT)
        client._fetch = self._fetch(client)
        self.clients.append(client)
        self._do(self._connect, client, instance)

    def come_back(self, number, instance, _):
        connected = [socket.client for socket in self.sockets]
        if away := [client for client in self.clients if client not in connected]:
            self._do(self._connect, away[number % len(away)], instance)

    def _connect(self, client, instance):
        socket = Socket(client, self._instance(instance), self._may_know)
        self.sockets.append(socket)
        socket.served.receive(json.dumps(client.hello()))

    def poll(self, user, instance, _):
        """A client without a WebSocket asks what it missed; each user has one."""
        client = self.pollers[user % 4]
        if client.is_waiting:
            return

        async def poll():
            client.is_waiting = True
            fields = client.hello()
            del fields["type"]
            try:
                for frame in await self._instance(instance).node.sync(client.user_id, fields):
                    self._may_know(client, frame)
                    client.take(frame)
            except Unavailable:
                pass
            finally:
                client.is_waiting = False

        self._do(lambda: self.polls.append(asyncio.ensure_future(poll())))

    def break_off(self, number, *_):
        if self.sockets:
            socket = self.sockets.pop(number % len(self.sockets))
            socket.pipe.open = False
            self._do(socket.served.gone)

    def stall(self, number, *_):
        if self.sockets:
            self.sockets[number % len(self.sockets)].pipe.stalled = True

    def drain(self, number, frames, wholly):
        stalled = [socket.pipe for socket in self.sockets if socket.pipe.stalled]
        if stalled:
            pipe = stalled[number % len(stalled)]
            pipe.stalled = wholly % 2 == 0
            self._do(pipe.drain, frames if pipe.stalled else 10**6)

    # Time

    def wait(self, length, *_):
        self._advance((0.05, 0.3, 3.0)[length % 3])

    # In the end

    def come_to_rest(self):
        """From now on everything goes well, and every instance looks once."""
        self.answer_everything()
        while self.publications:
            self._publish(0)
        for number, instance in enumerate(self.instances):
            self.hear_everything(number)
            self._do(self._mend, instance.node)
            self._do(instance.node.head_checks.soon)
        for socket in list(self.sockets):
            socket.pipe.stalled = False
            self._do(socket.pipe.drain, 10**6)
        self._advance(3)

    def poll_to_the_end(self):
        """Every client that polls asks until it is told that there is no more, and once more for the states."""
        for number, client in enumerate(self.pollers):
            for _ in range(50):
                self.poll(number, number, 0)
                if client.is_synced:
                    break
            self.poll(number, number, 0)

    def check_everybody(self):
        """Every client that polls or is connected knows exactly what there is to know."""
        for client in self.pollers + [socket.client for socket in self.sockets]:
            mine = [chat for chat in self.truth.chats.values() if client.user_id in chat.members]
            assert client.is_synced
            assert client.cursors == {chat.id: chat.head for chat in mine}
            assert client.epoch == self.truth.epoch
            counts = {chat_id: count for chat_id, (_, count) in client.unread.items() if count}
            assert counts == {chat.id: count for chat in mine if (count := self.truth.unread(chat, client.user_id))}
            for chat in mine:
                read = {user: member.read_seq for user, member in chat.members.items() if member.has_read}
                assert read.items() <= client.watermarks.get(chat.id, {}).items()

    def close_everything(self):
        """Nothing is kept of sockets that are gone."""
        for socket in self.sockets:
            socket.pipe.open = False
            self._do(socket.served.gone)
        self.truth.commits += 1  # time passes until nothing is kept of chats that are left
        self._advance(11)
        for instance in self.instances:
            hub, event_stream = instance.node.hub, instance.node.event_stream
            assert not (hub.clients or hub.sockets or hub.users or hub.versions or hub.streams)
            subscriptions = instance.node._subscriptions
            assert instance.subscribed == set(instance.node.channel_names.everywhere)
            assert not (subscriptions._subscribed or subscriptions._wanted or subscriptions._left)
            opening = event_stream.join_buffer
            assert not (
                event_stream._tasks or opening.under_way or opening._heads or opening._joined or opening._counted
            )

    def end(self):
        logging.getLogger("parley").removeHandler(self.handler)
        self.patch.undo()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.settle()
        self.loop.close()
        asyncio.set_event_loop(None)


# Twice: likelier.
STEPS = [
    "send", "send", "send", "send", "edit", "delete", "read", "read", "add", "add", "remove", "remove", "rename",
    "delete_chat", "create", "prune", "begin_a_new_epoch",
    "publish", "publish", "die_before_publishing", "be_slow_to_hear", "hear_everything", "subscribe", "hear", "hear", "hear", "lose",
    "cut", "mend", "hold_answers", "answer_everything", "look", "look", "look", "answer", "answer", "answer", "refuse",
    "open", "open", "poll", "come_back", "come_back", "break_off", "stall", "drain", "drain", "wait", "wait",
]  # fmt: skip


def happen(steps, *scopes):
    """Let the steps happen in a new world, then everything come to rest, and see whether everybody has what they should."""
    world = World(*scopes)
    try:
        for name, *numbers in steps:
            getattr(world, name)(*numbers)
        world.come_to_rest()
        world.poll_to_the_end()
        world.check_everybody()
        world.close_everything()
    finally:
        world.end()


@st.composite
def schedules(draw):
    """Each schedule knows only some of the steps and of the numbers, so that what it does meets more often."""
    names = ["open", "send", *draw(st.lists(st.sampled_from(STEPS), min_size=6, max_size=40))]
    numbers = st.integers(0, draw(st.sampled_from([1, 3, 7, 15])))
    return draw(st.lists(st.tuples(st.sampled_from(names), numbers, numbers, numbers), min_size=40, max_size=80))


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(schedules())
def test_everybody_gets_everything_once_and_in_order_whatever_happens(steps):
    happen(steps)


@pytest.mark.parametrize("scopes", [("chat", "chat"), ("chat", "all")], ids="-".join)
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(schedules())
def test_the_same_where_an_instance_hears_only_the_chats_that_it_watches(scopes, steps):
    happen(steps, scopes)


def test_an_event_that_changes_nothing_here_need_not_be_looked_at():
    hub = new_hub()
    event_stream = EventStream(None, hub)
    hub.stream("chat", 5)
    metrics.duplicates.counts.clear()
    for channel in ("messageAdded", "messageDeleted", "chatMessageNotification"):
        assert [event_stream.wants(channel, "chat", seq) for seq in (b"4", b"5", b"6")] == [False, False, True]
    assert metrics.duplicates.counts == {"messageAdded": 2, "messageDeleted": 2}, (
        "a projection is none: it has its message's seq"
    )
    assert event_stream.wants("unreadCountUpdated", "chat", b"4"), "it may be newer at the same position"
    assert not event_stream.wants("messageAdded", "another", b"6") and not event_stream.wants(
        "unreadCountUpdated", "another", b"6"
    )
    with event_stream.join_buffer.noting():
        assert event_stream.wants("messageAdded", "another", b"6"), "somebody may be about to watch it"
    event_stream.trace = "somebody looks on"
    assert event_stream.wants("messageAdded", "another", b"6")


class Listener:
    """A client that only notes what is said to it."""

    channels = frozenset()

    def __init__(self, user_id):
        self.user_id, self.streams, self.said, self.writer = user_id, {}, [], None

    def send(self, frame):
        self.said.append(frame["type"])


@pytest.mark.parametrize("position, stays", [(4, False), (5, False), (6, True)])
def test_an_event_lets_out_whoever_has_not_seen_a_later_one_that_lets_them_in(position, stays):
    hub, ann = new_hub(), Listener("ann")
    event_stream = EventStream(None, hub)
    hub.clients.add(ann)
    stream = hub.stream("chat", 3)
    hub.attach(ann, stream, position)
    stream.position = 4
    event_stream.offer(Event("chatUpdated", "chat", 5, {"participantIds": ["ben"]}))
    assert ("chat" in ann.streams, ann.said) == ((True, []) if stays else (False, ["left"]))
