"""Hand-made histories: a small world that is right, for tests that change one thing in it and see which invariant notices.

In `right()`, anna and ben are in one chat (seq 1). Anna sends a message (seq 2), edits it (seq 3); both see it and read it.
"""

from faults.evidence import Event, Evidence, Final, Message, Snapshot, View
from faults.history import Answered, Closed, History, Opened, Saw, Sent, Unanswered

CHAT, EPOCH = "chat", "epoch"


class Teller:
    """Writes one client's history."""

    def __init__(self, name: str, user: str | None = None):
        self.history = History(name, user or name)
        self.token = f"{name}'s"

    def opens(
        self,
        at,
        socket=1,
        cursors=None,
        heads=None,
        token=None,
        epoch=EPOCH,
        instance="web.1",
        synced=True,
        channels=None,
    ):
        """`channels`: what the instance says that it knows; one of the first release says nothing."""
        self.history.add(Opened(at, socket, token or self.token, epoch, cursors or {}))
        heads = {CHAT: 1} if heads is None else heads
        welcome = {"type": "welcome", "epoch": epoch, "heads": heads, "instance": instance}
        self.sees(at, {**welcome, "channels": channels} if channels else welcome, socket)
        if synced:
            self.sees(at, {"type": "synced", "at": "now"}, socket)

    def closes(self, at, socket=1, code=None):
        self.history.add(Closed(at, socket, code))

    def sees(self, at, frame, socket=1):
        self.history.add(Saw(at, socket, frame))

    def hears(self, at, seq, channel="messageAdded", identity="m2", socket=1, chat=CHAT, **data):
        kind = "state" if channel in ("unreadCountUpdated", "messageReadUpdated") else "event"
        self.sees(
            at, {"type": kind, "channel": channel, "chatId": chat, "seq": seq, "data": {"id": identity, **data}}, socket
        )

    def hears_only(self, at, seq, channel, socket=1):
        """From an instance that does not know the kind."""
        self.sees(at, {"type": "event", "channel": channel, "chatId": CHAT, "seq": seq, "data": None}, socket)

    def does(self, at, operation, kind, *, ended=None, status=201, seq=None, body=None, **about):
        """One attempt; without `status` it was never answered."""
        about.setdefault("chat", CHAT)
        self.history.add(Sent(at, operation, kind, f"key {operation}", **about))
        if status is None:
            self.history.add(Unanswered(ended or at + 1, operation, "TimeoutError"))
        else:
            self.history.add(Answered(ended or at + 0.01, operation, status, seq, body))


def event(seq, kind="messageAdded", actor="anna", key=None, message="m2", user=None, at=None, chat=CHAT):
    about_chat = kind in ("chatAdded", "chatUpdated")
    return Event(
        chat,
        seq,
        kind,
        None if about_chat else message,
        user,
        actor,
        key or f"key of {seq}",
        float(seq if at is None else at),
    )


class World:
    """Two tellers and what is in the database in the end."""

    def __init__(self):
        self.anna, self.ben, self.carl = Teller("anna"), Teller("ben"), Teller("carl")
        self.events = [event(1, "chatAdded", key="before", at=0)]
        self.messages = []
        self.watermarks = {(CHAT, "anna"): 2, (CHAT, "ben"): 2}
        self.snapshots = []
        self.more = {"began_at": 1.0, "healed_at": 10.0, "initial": {CHAT: ["anna", "ben"]}}

    def evidence(self, **changed) -> Evidence:
        return Evidence(
            [teller.history for teller in (self.anna, self.ben, self.carl) if teller.history.records],
            Final(EPOCH, self.events, self.messages, self.watermarks),
            self.snapshots,
            **{**self.more, **changed},
        )


def right() -> World:
    world = World()
    for teller in (world.anna, world.ben):
        teller.opens(1)
    world.anna.does(2, 1, "send", seq=2, text="hello", body={"id": "m2", "content": "hello"})
    world.anna.does(
        3, 2, "edit", status=200, seq=3, message="m2", text="hello!", body={"id": "m2", "content": "hello!"}
    )
    world.events += [event(2, key="key 1"), event(3, "messageUpdated", key="key 2")]
    world.messages.append(Message("m2", CHAT, 2, "anna", "hello!", 2.0))
    for teller in (world.anna, world.ben):
        teller.hears(2.1, 2, content="hello")
        teller.hears(3.1, 3, "messageUpdated", content="hello!")
    world.ben.does(4, 3, "read", status=200, message="m2")
    for name in ("anna", "ben"):
        world.snapshots.append(Snapshot(name, name, {CHAT: view()}, {CHAT: view()}))
    return world


def view(**changed) -> View:
    return View(
        **{
            "participants": ["anna", "ben"],
            "name": "Two",
            "unread": 0,
            "messages": {"m2": (2, "hello!", True)},
            "watermarks": {"anna": 2, "ben": 2},
            **changed,
        }
    )
