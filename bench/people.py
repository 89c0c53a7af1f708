"""The database of a case: users who are signed in, chats, and histories, put in by SQL because a million requests would take an hour.

Knows the tables of schema.sql; what it writes is what the functions there would have written.
"""

import json
import uuid

import psycopg2
import psycopg2.extras

from bench import events

# The call that sends a message, for pgbench: the names of the columns are filled in, and the text.
SEND = "create_message({actor}, gen_random_uuid(), 0, {chat}, '{content}', 50)"
EVENTS_KEPT = 2000  # of a seeded history: the log is pruned by age, the messages are not


class People:
    """Users 0, 1, 2 … of one database, their tokens, and chats among them."""

    def __init__(self, url: str):
        self.url = url
        self.ids: list[str] = []

    def __enter__(self):
        psycopg2.extras.register_uuid()
        self._connection = psycopg2.connect(self.url)
        self._connection.autocommit = True
        self.epoch = str(self.one("select epoch from parley"))
        return self

    def __exit__(self, *error):
        self._connection.close()

    def rows(self, sql: str, *parameters) -> list:
        with self._connection.cursor() as cursor:
            cursor.execute(sql, parameters[0] if parameters and isinstance(parameters[0], dict) else parameters)
            return cursor.fetchall() if cursor.description else []

    def one(self, sql: str, *parameters):
        """The first column of the first row."""
        return self.rows(sql, *parameters)[0][0]

    def token(self, number: int) -> str:
        return f"bench-{number}"

    def headers(self, number: int) -> dict:
        """Of a request by this user that sends something."""
        return {"Authorization": f"Bearer {self.token(number)}", "Idempotency-Key": "@key@"}

    def add(self, count: int):
        """More users, signed in."""
        first = len(self.ids)
        made = self.rows(
            """with made as (
                   insert into users (username, display_name, password_hash, created_at)
                   select 'user' || n, 'User ' || n, 'none', now() from generate_series(%s, %s) n returning id, username
               ), signed_in as (
                   insert into sessions (user_id, token_hash, created_at, last_used_at, expires_at)
                   select id, sha256(convert_to('bench-' || substr(username, 5), 'UTF8')), now(), now(), now() + interval '30 days' from made
               ) select id from made order by substr(username, 5)::integer""",
            first,
            first + count - 1,
        )
        self.ids += [str(row[0]) for row in made]

    def chat(self, members, kind: str = "group") -> str:
        """A chat of these users; its id. The first is its owner."""
        return self.chats([members], kind)[0]

    def chats(self, groups, kind: str = "group") -> list[str]:
        """A chat for each list of users."""
        made = [(str(uuid.uuid4()), [self.ids[number] for number in members]) for members in groups]
        rows = [
            (
                chat,
                kind,
                None if kind == "direct" else "A chat",
                None if kind == "direct" else users[0],
                ":".join(sorted(users)) if kind == "direct" else None,
                len(users),
            )
            for chat, users in made
        ]
        people = [(chat, user) for chat, users in made for user in users]
        with self._connection.cursor() as cursor:
            psycopg2.extras.execute_values(
                cursor,
                """
                insert into chats (id, chat_type, name, owner_id, direct_key, participant_count, head_seq, last_at, active_at, created_at, updated_at)
                select id::uuid, kind, name, owner::uuid, direct_key, members, 1, now(), now(), now(), now()
                from (values %s) as v (id, kind, name, owner, direct_key, members)""",
                rows,
                "(%s, %s, %s, %s, %s, %s::integer)",
                1000,
            )
            psycopg2.extras.execute_values(
                cursor,
                """
                insert into chat_events (chat_id, seq, kind, actor_id, op_id, op_digest, at)
                select id::uuid, 1, 'chatAdded', actor::uuid, gen_random_uuid(), 0, now() from (values %s) as v (id, actor)""",
                [(chat, users[0]) for chat, users in made],
                "(%s, %s)",
                1000,
            )
            psycopg2.extras.execute_values(
                cursor,
                """
                insert into participants (chat_id, user_id, joined_seq, joined_at, read_seq, read_count)
                select chat::uuid, person::uuid, 1, now(), 1, 0 from (values %s) as v (chat, person)""",
                people,
                "(%s, %s)",
                5000,
            )
        return [chat for chat, _ in made]

    def seed(self, chat_ids: list[str], messages: int, sender: int = 0):
        """A history of so many messages in each of these new chats; everybody has read all of it but the last 500."""
        self.rows(
            """insert into messages (chat_id, seq, ordinal, sender_id, content, created_at)
               select c.id::uuid, n + 1, n, %s, 'A message of an ordinary length, and this is the number ' || n || ' of them.',
                      now() - make_interval(secs => %s - n)
               from unnest(%s::uuid[]) as c (id), generate_series(1, %s) n""",
            self.ids[sender],
            messages,
            chat_ids,
            messages,
        )
        self.rows(
            """insert into chat_events (chat_id, seq, kind, message_id, actor_id, op_id, op_digest, at)
               select chat_id, seq, 'messageAdded', id, sender_id, gen_random_uuid(), 0, created_at
               from messages where chat_id = any(%s::uuid[]) and seq > %s""",
            chat_ids,
            max(1, messages + 1 - EVENTS_KEPT),
        )
        self.rows(
            "update chats set head_seq = %s, floor_seq = %s, message_count = %s where id = any(%s::uuid[])",
            messages + 1,
            max(0, messages + 1 - EVENTS_KEPT),
            messages,
            chat_ids,
        )
        self.rows(
            "update participants set read_seq = %s, read_count = %s where chat_id = any(%s::uuid[]) and user_id <> %s",
            max(1, messages + 1 - 500),
            max(0, messages - 500),
            chat_ids,
            self.ids[sender],
        )
        self.rows(
            "delete from chat_events where seq = 1 and chat_id = any(%s::uuid[])",
            chat_ids if messages > EVENTS_KEPT else [],
        )
        # The search's words are not among what is measured, and nobody is to be busy with them. An older build's schema knows nothing of it.
        if self.one("select to_regclass('consumer_positions') is not null"):
            self.rows(
                """insert into consumer_positions (chat_id, consumer, position) select id::uuid, 'search', %s from unnest(%s::uuid[]) as i (id)
                   on conflict (chat_id, consumer) do update set position = excluded.position""",
                messages + 1,
                chat_ids,
            )

    def write(self, chat: str, sender: int, contents: list[str]) -> list[events.Message]:
        """Commit these messages, all in one transaction, without telling anybody."""
        rows = self.rows(
            """with c as (
                   update chats set head_seq = head_seq + %(n)s, message_count = message_count + %(n)s, last_at = now(), active_at = now()
                   where id = %(chat)s returning id, head_seq - %(n)s as head, message_count - %(n)s as messages, participant_count
               ), m as (
                   insert into messages (chat_id, seq, ordinal, sender_id, content, created_at)
                   select c.id, c.head + t.n, c.messages + t.n, %(sender)s, t.content, date_trunc('milliseconds', now())
                   from c, unnest(%(contents)s) with ordinality as t (content, n) returning *
               ), e as (
                   insert into chat_events (chat_id, seq, kind, message_id, actor_id, op_id, op_digest, at)
                   select chat_id, seq, 'messageAdded', id, sender_id, gen_random_uuid(), 0, created_at from m
               ), p as (
                   update participants p set read_seq = c.head + %(n)s, read_count = c.messages + %(n)s from c
                   where p.chat_id = c.id and p.user_id = %(sender)s
               ) select m.id, m.seq, m.content, to_char(m.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), c.participant_count
                 from m, c order by m.seq""",
            {"n": len(contents), "chat": chat, "sender": self.ids[sender], "contents": contents},
        )
        return [events.Message(str(row[0]), chat, self.ids[sender], row[2], row[3], row[1], row[4]) for row in rows]


def body(content: str) -> str:
    """Of a request that sends a message."""
    return json.dumps({"content": content})
