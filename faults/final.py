"""The end of a trial as the checker is given it: the tables by plain SQL, and every client's fresh snapshot by HTTP."""

import asyncio
from contextlib import closing

import psycopg2

from faults.clients import Client
from faults.evidence import Event, Final, Message, Snapshot
from faults.replica import Chat
from faults.wire import NoAnswer

SNAPSHOTS = 6  # clients at a time


def read(database_url: str) -> Final:
    with closing(psycopg2.connect(database_url)) as connection, connection.cursor() as cursor:

        def rows(sql):
            cursor.execute(sql)
            return cursor.fetchall()

        (epoch,) = rows("select epoch::text from parley")[0]
        events = rows("""select chat_id::text, seq, kind, message_id::text, user_id::text, actor_id::text, op_id::text,
                                extract(epoch from at)::float from chat_events order by chat_id, seq""")
        messages = rows("""select id::text, chat_id::text, seq, sender_id::text, content, extract(epoch from created_at)::float,
                                  deleted_at is not null from messages""")
        watermarks = rows("select chat_id::text, user_id::text, read_seq from participants")
    return Final(
        epoch,
        [Event(*row) for row in events],
        [Message(*row) for row in messages],
        {(chat, user): seq for chat, user, seq in watermarks},
    )


def participants(database_url: str) -> dict:
    """chat → who is in it now."""
    found = {}
    for chat, user in read(database_url).watermarks:
        found.setdefault(chat, []).append(user)
    return found


async def snapshots(clients: list[Client]) -> list[Snapshot]:
    gate = asyncio.Semaphore(SNAPSHOTS)

    async def one(client):
        async with gate:
            fresh = {}
            for chat_id in await _chat_ids(client):
                chat = Chat()
                chat.load(
                    await _get(client, f"/api/chats/{chat_id}"),
                    await _get(client, f"/api/chats/{chat_id}/messages?limit=100"),
                )
                fresh[chat_id] = chat.view()
            built = {chat_id: chat.view() for chat_id, chat in client.replica.chats.items() if chat.loaded}
            return Snapshot(client.name, client.person.user, fresh, built)

    return await asyncio.gather(*(one(client) for client in clients))


async def _chat_ids(client):
    found, after = [], ""
    while after is not None:
        page = await _get(client, "/api/chats?limit=100" + (after and f"&after={after}"))
        found += [chat["id"] for chat in page["items"]]
        after = page["next"]
    return found


async def _get(client, path):
    for _ in range(20):
        try:
            status, _, body = await client.ask("GET", path)
            if status == 200:
                return body
        except NoAnswer:
            pass
        await asyncio.sleep(0.5)
    raise NoAnswer(f"{client.name} gets no answer to GET {path}, long after healing")
