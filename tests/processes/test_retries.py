"""A retry under the same Idempotency-Key changes nothing and answers the same: on another instance, and after a death before the answer."""

import asyncio
import uuid
from dataclasses import dataclass

import psycopg2
import pytest

from tests.client import NO_ANSWER, User, request, until


@pytest.fixture(scope="module")
def parley(module_cluster):
    # Locks are held for longer here than a lively database would.
    return module_cluster(instances=2, nginx=False, env={"LOCK_SECONDS": "15", "DATABASE_SECONDS": "15"})


@dataclass
class Mutation:
    """One request of one person; `lock` is the SQL that keeps it from committing."""

    name: str
    user: User
    method: str
    path: str
    body: dict | None
    lock: str
    chat: str | None = None

    async def run(self, url, key):
        return await self.user.request(self.method, self.path, self.body, at=url, key=key)


class SignUp(Mutation):
    """Without a token, as sign-in too."""

    async def run(self, url, key):
        return await request(url, self.method, self.path, self.body, headers={"Idempotency-Key": key})


async def mutations(people: list[User]) -> list[Mutation]:
    """Every mutation that there is, each in a chat of its own, none done yet."""
    ann, ben, cid = people

    async def chat():
        group = await ann.group(ben)
        message = await ann.send(group)
        return group, message["id"], f"select from chats where id = '{group}' for update"

    sent, edited, deleted, read, renamed, added, removed, left, gone = [await chat() for _ in range(9)]
    name = f"new{uuid.uuid4().hex[:8]}"
    password = "a long enough password"
    leaving = await ann.sign_in()
    creation = {"chatType": "group", "name": "New", "participantIds": [ben.id]}
    direct = {"chatType": "direct", "participantIds": [cid.id]}
    participant = f"select from participants where chat_id = '{read[0]}' for update"
    return [
        Mutation("send", ben, "POST", f"/api/chats/{sent[0]}/messages", {"content": "Once"}, sent[2], sent[0]),
        Mutation("edit", ann, "PATCH", f"/api/messages/{edited[1]}", {"content": "Edited"}, edited[2], edited[0]),
        Mutation("delete", ann, "DELETE", f"/api/messages/{deleted[1]}", None, deleted[2], deleted[0]),
        Mutation("read", ben, "PUT", f"/api/messages/{read[1]}/read", None, participant, read[0]),
        Mutation("rename", ann, "PATCH", f"/api/chats/{renamed[0]}", {"name": "Renamed"}, renamed[2], renamed[0]),
        Mutation("add", ann, "POST", f"/api/chats/{added[0]}/participants", {"userIds": [cid.id]}, added[2], added[0]),
        Mutation("remove", ann, "DELETE", f"/api/chats/{removed[0]}/participants/{ben.id}", None, removed[2], removed[0]),
        Mutation("leave", ben, "DELETE", f"/api/chats/{left[0]}/participants/{ben.id}", None, left[2], left[0]),
        Mutation("delete chat", ann, "DELETE", f"/api/chats/{gone[0]}", None, gone[2]),
        Mutation("create", ann, "POST", "/api/chats", creation, "lock table chats in exclusive mode"),
        Mutation("direct", ben, "POST", "/api/chats", direct, "lock table chats in exclusive mode"),
        SignUp("sign up", ann, "POST", "/api/sign-up", {"username": name, "password": password}, "lock table users in share mode"),
        SignUp("sign in", ann, "POST", "/api/sign-in", {"username": ann.name, "password": password}, "lock table sessions in share mode"),
        Mutation("sign out", leaving, "POST", "/api/sign-out", None, "lock table sessions in share mode"),
    ]  # fmt: skip


LIVE_SESSIONS = "sessions where revoked_at is null"


class Truth:
    """The database past the server, to look and to hold things up in it."""

    def __init__(self, url):
        self._url = url
        self._connection = self.connect()
        self._connection.autocommit = True

    def connect(self):
        return psycopg2.connect(self._url, application_name="the test")

    def close(self):
        self._connection.close()

    def ask(self, sql):
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchone()

    def waiting(self) -> int:
        """Statements of the instances that wait for a lock."""
        return self.ask(
            "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
        )[0]

    def working(self) -> int:
        """Statements of instances, dead ones included, that have not ended."""
        return self.ask("""select count(*) from pg_stat_activity where state = 'active' and datname = current_database()
                           and application_name like 'parley%'""")[0]

    def state(self) -> dict:
        """Everything that a mutation could have changed, counted."""
        tables = (
            "users",
            LIVE_SESSIONS,
            "chats where deleted_at is null",
            "messages",
            "chat_events",
            "participants",
            "reads",
        )
        counts = self.ask(
            "select (select sum(head_seq) from chats), "
            + ", ".join(f"(select count(*) from {table})" for table in tables)
        )
        return dict(zip(("heads", *tables), counts, strict=True))


@pytest.fixture
def truth(parley):
    truth = Truth(parley.database)
    yield truth
    truth.close()


@pytest.mark.gen_test
async def test_every_mutation_repeated_on_another_instance_changes_nothing_and_answers_the_same(parley, party, truth):
    web_1, web_2 = (instance.url for instance in parley.instances)
    people = await party.users(web_1, 3)
    marks = await people[0].group(name="Marks")
    listener = await party.listen(parley)

    async def heard_up_to(mark):
        """What was published before the mark, which everything published before is heard before."""
        found = []
        for url in (web_1, web_2):
            await people[0].do("PATCH", f"/api/chats/{marks}", {"name": mark}, at=url)
        while sum(body.get("chatUpdated", {}).get("name") == mark for _, body in found) < 2:
            found += await listener.take(1)
        return found[:-2]

    for mutation in await mutations(people):
        key = str(uuid.uuid4())
        first = await mutation.run(web_1, key)
        assert first.status < 300, (mutation, first)
        await heard_up_to(f"before the retries of {mutation.name}")
        state = truth.state()
        for url in (web_2, web_1, web_2):
            again = await mutation.run(url, key)
            assert again.essence == first.essence, mutation
        assert truth.state() == state, mutation
        assert await heard_up_to(f"after the retries of {mutation.name}") == [], mutation


@pytest.mark.gen_test
async def test_the_same_key_for_something_else_is_refused_on_any_instance(parley, party):
    web_1, web_2 = (instance.url for instance in parley.instances)
    ann, ben = await party.users(web_1, 2)
    chat, key = await ann.group(ben), str(uuid.uuid4())
    await ann.send(chat, "Once", key=key)
    path = f"/api/chats/{chat}/messages"
    for method, where, body in (
        ("POST", path, {"content": "Twice"}),
        ("PATCH", f"/api/chats/{chat}", {"name": "Twice"}),
        ("POST", f"/api/chats/{await ann.group()}/messages", {"content": "Once"}),
    ):
        answer = await ann.request(method, where, body, at=web_2, key=key)
        assert (answer.status, answer.code) == (422, "idempotency_key_reused")
    assert (await ben.request("POST", path, {"content": "Once"}, at=web_2, key=key)).status == 201, (
        "keys are each one's own"
    )


@pytest.mark.gen_test
async def test_the_same_request_on_both_instances_at_once_happens_once(parley, party):
    web_1, web_2 = (instance.url for instance in parley.instances)
    ann, ben = await party.users(web_1, 2)
    chat = await ann.group(ben)
    stream = await party.open(ben, web_2)
    for number in range(10):
        key, body = str(uuid.uuid4()), {"content": f"message {number}"}
        path = f"/api/chats/{chat}/messages"
        answers = await asyncio.gather(
            *(ann.request("POST", path, body, at=url, key=key) for url in 3 * (web_1, web_2))
        )
        assert {answer.status for answer in answers} == {201}
        assert len({answer.body["id"] for answer in answers}) == len({answer.seq for answer in answers}) == 1
    assert await ann.head(chat) == 11
    await stream.until_at(chat, 11)
    assert stream.contents(chat) == [f"message {number}" for number in range(10)]


@pytest.mark.gen_test(timeout=60)
async def test_an_instance_that_died_before_it_answered_leaves_it_to_the_retry_and_it_happens_once(
    parley, party, truth
):
    """Killed when it had handed its mutations to PostgreSQL, which commits some of them after its death, and others never."""
    web_1, web_2 = (instance.url for instance in parley.instances)
    people = await party.users(web_1, 3)
    watching = [await party.open(user, web_2) for user in people]
    first, second = await mutations(people), await mutations(people)
    for batch, commits in ((first[:8], True), (second[:8], False), (first[8:], True)):
        keys = [str(uuid.uuid4()) for _ in batch]
        before = truth.state()
        await die_before_answering(parley.instances[0], truth, batch, keys, commits)
        after = truth.state()
        assert (after != before) == commits

        answers = [await mutation.run(web_2, key) for mutation, key in zip(batch, keys, strict=True)]
        assert all(answer.status < 300 for answer in answers), answers
        state = truth.state()
        if commits:
            # A sign-up is an account first and then a session, which its retry completes.
            after[LIVE_SESSIONS] += sum(mutation.name == "sign up" for mutation in batch)
        assert (state == after) == commits
        await asyncio.to_thread(parley.instances[0].start)
        for mutation, key, answer in zip(batch, keys, answers, strict=True):
            assert (await mutation.run(web_1, key)).essence == answer.essence, mutation
        assert truth.state() == state

    # What no instance ever published has reached the sockets nevertheless.
    for stream in watching:
        heads = {item["id"]: item["head"] for item in (await stream.user.get("/api/chats?limit=100"))["items"]}
        await stream.until(lambda s=stream, h=heads: h == s.cursors, 5, f"the heads {heads}")


async def die_before_answering(instance, truth, batch, keys, commits):
    """Kill the instance while PostgreSQL holds its mutations up, and then let them through, or not."""
    holding = truth.connect()
    try:
        with holding.cursor() as cursor:
            for mutation in batch:
                cursor.execute(mutation.lock)
        asked = [
            asyncio.ensure_future(mutation.run(instance.url, key)) for mutation, key in zip(batch, keys, strict=True)
        ]
        await until(lambda: truth.waiting() == len(batch), 10, "all of them wait for their locks")
        instance.kill()
        for answer in await asyncio.gather(*asked, return_exceptions=True):
            assert isinstance(answer, NO_ANSWER), answer
        if not commits:
            truth.ask("""select count(pg_terminate_backend(pid)) from pg_stat_activity
                         where wait_event_type = 'Lock' and datname = current_database()""")
            await until(lambda: truth.working() == 0, 5, "they have given up")
    finally:
        holding.close()
    await until(lambda: truth.working() == 0, 5, "they have committed")
