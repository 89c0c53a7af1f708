"""The load: 12 chats and a seeded stream of operations of every kind, each by a client that may do it as far as it knows."""

import asyncio
import random

from faults.clients import Client

# kind: how many of a hundred. `look` reads a page, as people do who scroll.
KINDS = {
    "send": 52,
    "read": 18,
    "edit": 9,
    "delete": 6,
    "look": 4,
    "rename": 3,
    "add": 3,
    "remove": 2,
    "create": 2,
    "pry": 1,
}
CROWD = 1000  # participants of the large chat
HOT, LARGE = 0, 1  # places in the list of chats
CREATED_MOST = 30
UNDER_WAY_MOST = 4  # operations of one client at a time; a real one does not do more while it waits
FORSAKEN = 0.08  # of the operations are not repeated, so that some stay unanswered for good


def groups(people: int, rng: random.Random) -> list[list[int]]:
    """Who is in which of the 12 chats, by number; the first of each list owns it. The large one gets its crowd besides."""
    everyone = list(range(people))
    hot = rng.sample(
        everyone, people
    )  # as many on each instance as are sent to with one system call, see realtime/transport/broadcast.py
    large = rng.sample(everyone, max(3, people // 2))
    small = [rng.sample(everyone, min(people, rng.randint(4, 12))) for _ in range(8)]
    direct = [rng.sample(everyone, 2) for _ in range(2)]
    return [hot, large, *small, *direct]


class Load:
    """`rate` operations a second by these clients. The hot chat gets two fifths of the messages."""

    def __init__(self, clients: list[Client], chats: list[str], outsiders: list[str], rate: float, seed: int):
        self.clients, self.chats, self.rate = clients, chats, rate
        self.people = sorted({client.person.user for client in clients})
        self.outsiders = outsiders
        self.rng = random.Random(seed)
        self.stopping = self.paused = False
        self.skipped = 0
        self._created = 0
        self._tasks = set()
        self._main = None

    def start(self):
        self._main = asyncio.ensure_future(self._run())

    async def stop(self, seconds: float = 30.0):
        """No new operations; those under way may end."""
        self.stopping = True
        await self._main
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self):
        loop = asyncio.get_running_loop()
        due, next_sign_out = loop.time(), loop.time() + 2
        while not self.stopping:
            due += self.rng.expovariate(self.rate)
            await asyncio.sleep(max(0.0, due - loop.time()))
            if self.paused:
                continue
            if loop.time() - due > 1:
                due = loop.time()  # the rig was held up; what it missed is not made up for
            if loop.time() > next_sign_out:
                next_sign_out = loop.time() + self.rng.uniform(1, 3) * 60 / len(self.clients)
                self.begin(self.rng.choice(self.clients).sign_out_and_in())
            client = self.rng.choice(self.clients)
            (kind,) = self.rng.choices(list(KINDS), list(KINDS.values()))
            if client.busy < UNDER_WAY_MOST and (operation := getattr(self, "_" + kind)(client)):
                retry = self.rng.random() > FORSAKEN
                self.begin(client.perform(kind, *operation[0], retry=retry, **operation[1]))
            else:
                self.skipped += 1

    def begin(self, coroutine):
        """Let an operation run; `stop` waits for it."""
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Each answers ((method, path, body), what the history says of it), or None where this client cannot.

    def _chat(self, client, only=lambda chat: True):
        chosen = [chat_id for chat_id, chat in client.replica.chats.items() if chat.loaded and only(chat)]
        if not chosen:
            return None, None
        weights = [8 if chat_id == self.chats[HOT] else 1 for chat_id in chosen]
        (chat_id,) = self.rng.choices(chosen, weights)
        return chat_id, client.replica.chats[chat_id]

    def _text(self, client):
        return f"{client.name} says {self.rng.getrandbits(64):016x}"

    def _send(self, client):
        chat_id, _ = self._chat(client)
        if chat_id:
            text = self._text(client)
            return ("POST", f"/api/chats/{chat_id}/messages", {"content": text}), {"chat": chat_id, "text": text}

    def _message(self, client, may):
        chat_id, chat = self._chat(client)
        found = [key for key, m in list(chat.messages.items())[-30:] if m[0] and may(chat, m)] if chat else []
        return (chat_id, self.rng.choice(found)) if found else (None, None)

    def _edit(self, client):
        chat_id, message = self._message(client, lambda chat, m: m[2] == client.person.user)
        if message:
            text = self._text(client)
            return ("PATCH", f"/api/messages/{message}", {"content": text}), {
                "chat": chat_id,
                "message": message,
                "text": text,
            }

    def _delete(self, client):
        chat_id, message = self._message(client, lambda chat, m: client.person.user in (m[2], chat.owner))
        if message:
            return ("DELETE", f"/api/messages/{message}"), {"chat": chat_id, "message": message}

    def _read(self, client):
        chat_id, message = self._message(client, lambda chat, m: True)
        if message:
            return ("PUT", f"/api/messages/{message}/read"), {"chat": chat_id, "message": message}

    def _look(self, client):
        chat_id, _ = self._chat(client)
        if chat_id:
            return ("GET", f"/api/chats/{chat_id}/messages?limit=30"), {"chat": chat_id}

    def _pry(self, client):
        foreign = [chat for chat in self.chats if chat not in client.replica.chats]
        if foreign:
            chat_id = self.rng.choice(foreign)
            return ("GET", f"/api/chats/{chat_id}/messages"), {"chat": chat_id}

    def _rename(self, client):
        chat_id, chat = self._chat(client, lambda chat: chat.kind == "group")
        if chat:
            text = self._text(client)
            return ("PATCH", f"/api/chats/{chat_id}", {"name": text}), {"chat": chat_id, "text": text}

    def _add(self, client):
        chat_id, chat = self._chat(client, lambda chat: chat.kind == "group")
        outside = [user for user in self.people if user not in chat.participants] if chat else []
        if outside:
            users = self.rng.sample(outside, min(len(outside), self.rng.randint(1, 2)))
            return ("POST", f"/api/chats/{chat_id}/participants", {"userIds": users}), {"chat": chat_id, "users": users}

    def _remove(self, client):
        me = client.person.user
        chat_id, chat = self._chat(client, lambda chat: chat.kind == "group")
        if chat and chat.owner == me:
            others = [user for user in self.people if user in chat.participants and user != me]
        else:
            others = [me]  # leave; the owner stays, so that somebody can always remove
        if chat and others and len(chat.participants) > 3:
            user = self.rng.choice(others)
            return ("DELETE", f"/api/chats/{chat_id}/participants/{user}"), {"chat": chat_id, "users": [user]}

    def _create(self, client):
        if self._created < CREATED_MOST:
            self._created += 1
            users = self.rng.sample(
                [user for user in self.people if user != client.person.user], min(4, len(self.people) - 1)
            )
            text = self._text(client)
            return ("POST", "/api/chats", {"chatType": "group", "name": text, "participantIds": users}), {
                "users": users,
                "text": text,
            }
