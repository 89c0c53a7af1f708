"""The prepared database: accounts signed up over HTTP, their 12 chats, and a crowd that never connects, put in by SQL."""

import asyncio
import random
import uuid
from dataclasses import dataclass

import psycopg2

from faults import load
from faults.wire import Connection


@dataclass
class Account:
    user: str
    username: str
    password: str
    token: str


@dataclass
class Scene:
    """Who is there when a trial begins. `chats` are in the order of `load.groups`."""

    accounts: list[Account]
    chats: list[str]
    crowd: list[str]


async def prepare(port: int, database_url: str, people: int, seed: int) -> Scene:
    """Sign up and create; four at a time, because each password takes a core for 50 ms."""
    rng = random.Random(seed)
    gate = asyncio.Semaphore(4)

    async def sign_up(number):
        async with gate:
            username, password = f"person{number}", f"password of {number}"
            status, answer = await _post(port, "/api/sign-up", {"username": username, "password": password})
            assert status == 201, answer
            return Account(answer["user"]["id"], username, password, answer["token"])

    accounts = await asyncio.gather(*(sign_up(number) for number in range(people)))
    crowd = _crowd(database_url, load.CROWD)
    chats = []
    for place, members in enumerate(load.groups(people, rng)):
        owner, *others = (accounts[number] for number in members)
        kind = "direct" if place >= 10 else "group"
        body = {"chatType": kind, "participantIds": [other.user for other in others]}
        if kind == "group":
            body["name"] = f"Group {place}"
        if place == load.LARGE:
            body["participantIds"] += crowd[: load.CROWD - len(members)]
        status, answer = await _post(port, "/api/chats", body, owner.token)
        assert status in (200, 201), answer
        chats.append(answer["id"])
    return Scene(accounts, chats, crowd)


def _crowd(database_url, count):
    ids = [str(uuid.uuid4()) for _ in range(count)]
    with psycopg2.connect(database_url) as connection, connection.cursor() as cursor:
        cursor.execute(
            """insert into users (id, username, display_name, password_hash, created_at)
               select id, 'crowd-' || id, 'One of many', 'none', now() from unnest(%s::uuid[]) as id""",
            [ids],
        )
    connection.close()
    return ids


async def _post(port, path, body, token=None):
    connection = Connection(port)
    headers = {"Idempotency-Key": str(uuid.uuid4()), **({"Authorization": f"Bearer {token}"} if token else {})}
    try:
        status, _, answer = await connection.request("POST", path, headers, body, 30)
        return status, answer
    finally:
        connection.close()
