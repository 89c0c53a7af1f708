-- What is true: tables, indexes and one function for each mutation. `python server.py migrate` makes a fresh database of it. In an older one the
-- files in migrations/ make the same of the tables; functions and their types are made anew there each time.
--
-- A mutation is one autocommit call of one function, so that no lock ever waits for a Python process. Inside, always in this order:
--   1. lock the chat (so commit order is seq order)
--   2. look for the operation's first run, by (actor_id, op_id); create_message finds it where its event cannot be written twice
--   3. check membership and rights, after the lock: a removal that committed first counts
--   4. write the state, append to chat_events, move chats.head_seq
--   5. return everything that must be published
-- Where a repetition would answer with a chat as it is now, 3 comes before it: the chat is not shown to one who has left it.
--
-- A refusal is raised as SQLSTATE PA001 whose message is the error's code and whose COLUMN is the field at fault.
-- Locks are taken chat first, then participants, then users in the order of their ids.

create table parley (
    one             boolean primary key default true check (one),
    epoch           uuid not null default gen_random_uuid(),
    -- Key of the tokens that answer a sign-in sent with an Idempotency-Key: the retry must get the same token, of which only a hash is kept.
    token_key       bytea not null default decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'),
    -- Number of the newest migration.
    schema_version  integer not null default 0,
    -- The oldest code that can run on this schema, as the schema_version that it expects: instances of the release before go on during a deploy.
    compatible_from integer not null default 0,
    -- Digests of all functions that were ever here, the present ones last: an instance starts where its own have been.
    functions       text[] not null default '{}'
);
insert into parley (compatible_from) values (1);

-- The files of migrations/ that have been applied here; in a fresh database all of them.
create table schema_migrations (
    number     integer primary key,
    name       text not null,
    applied_at timestamptz not null default now()
);

create table users (
    id                 uuid primary key default gen_random_uuid(),
    username           text not null,
    display_name       text not null,
    password_hash      text not null,
    -- Counts the chats joined and left, so that an instance sees a membership change whose event was lost.
    membership_version bigint not null default 0,
    -- sha256 of the sign-up's Idempotency-Key. The key itself can derive a token and is not kept.
    op_hash            bytea,
    created_at         timestamptz not null,
    is_owner           boolean not null default false   -- of the server: the first account, and whom `make-owner` named
);
create unique index users_username on users (lower(username));

-- Browser sessions and programs' bearer tokens alike: what a request proves itself with.
create table sessions (
    id           uuid primary key default gen_random_uuid(),
    user_id      uuid not null references users,
    token_hash   bytea not null unique,
    user_agent   text not null default '',
    created_at   timestamptz not null,
    last_used_at timestamptz not null,
    expires_at   timestamptz not null,
    revoked_at   timestamptz
);
create index sessions_user on sessions (user_id);
create index sessions_expiry on sessions (expires_at);

create table invitations (
    id         uuid primary key default gen_random_uuid(),
    -- Readable, unlike a session's: it is made to be handed on and shown again, and gives a reader of this table nothing new.
    token      text not null unique,
    created_by uuid not null references users,
    op_id      uuid not null,
    max_uses   integer not null,
    uses       integer not null default 0,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    revoked_at timestamptz
);
create unique index invitations_op on invitations (created_by, op_id);

create table sign_in_attempts (
    key          text primary key,
    attempts     integer not null,
    window_start timestamptz not null
);

create table chats (
    id                uuid primary key,
    chat_type         text not null,              -- direct or group
    name              text,
    description       text,
    owner_id          uuid references users,      -- null in direct chats
    direct_key        text,                       -- the two ids of a direct chat, in order
    head_seq          bigint not null default 0,  -- newest event
    floor_seq         bigint not null default 0,  -- newest event pruned from chat_events
    message_count     bigint not null default 0,  -- messages ever sent, deleted ones included
    participant_count integer not null default 0,
    last_at           timestamptz not null,       -- time of the newest event; the next one is not earlier
    active_at         timestamptz not null,       -- newest message, or the creation: orders the chat list
    created_at        timestamptz not null,
    updated_at        timestamptz not null,
    deleted_at        timestamptz,
    deleted_seq       bigint not null default 0   -- newest message that is deleted: for a watermark at or above it, unread is a plain difference
) with (fillfactor = 70);
create unique index chats_direct on chats (direct_key) where deleted_at is null;

create table participants (
    chat_id    uuid not null references chats,
    user_id    uuid not null references users,
    joined_seq bigint not null,
    joined_at  timestamptz not null,
    read_seq   bigint not null,   -- the watermark: the newest message read, or the head on joining
    read_count bigint not null,   -- messages at or below the watermark; unread is a difference, never a scan
    read_at    timestamptz,       -- when the watermark was reached; null when nothing was read since joining
    muted      boolean not null default false,  -- wants no notifications of the chat; nobody else is told
    primary key (chat_id, user_id)
) with (fillfactor = 80);
create index participants_user on participants (user_id, chat_id);

-- messages, chat_events and reads have no foreign keys, and they and chats no CHECKs: only the functions below write them, in chats that they
-- have locked or participants that they have found, and PostgreSQL parses a CHECK again for each statement, so that every message would pay for
-- it. That a deleted message has no text is seen to where one is deleted: by `message_changed`.
create table messages (
    id         uuid primary key default gen_random_uuid(),
    chat_id    uuid not null,
    seq        bigint not null,   -- of its messageAdded
    ordinal    bigint not null,   -- 1 for the chat's first message, 2 for the second …
    sender_id  uuid not null,
    content    text not null,     -- empty when deleted
    created_at timestamptz not null,
    edited_at  timestamptz,
    deleted_at timestamptz
);
create unique index messages_chat on messages (chat_id, seq);

-- Which messages are deleted. A table and no partial index on messages: a send does not pay for it, and a plan that was made while messages had
-- a few rows cannot take another index and read a chat's whole history.
create table deletions (
    chat_id uuid not null,
    seq     bigint not null,
    primary key (chat_id, seq)
);

-- Search. A message's words come here by `index_messages`, soon after its commit: a send does not wait for them. A deleted message has none.
create table message_words (
    chat_id    uuid not null,
    seq        bigint not null,
    created_at timestamptz not null,  -- of the message: search goes by it
    words      tsvector not null,
    primary key (chat_id, seq)
);
create index message_words_words on message_words using gin (words) with (fastupdate = on, gin_pending_list_limit = 1024);

-- What follows from an edit or a deletion, whoever makes it: words of a text that is gone are not found, and not kept either. A function of
-- a table: what changes it is a migration, and `migrate` does not make it anew.
create function message_changed() returns trigger language plpgsql as $$
begin
    if new.deleted_at is null then
        update message_words set words = to_tsvector('simple', new.content) where chat_id = new.chat_id and seq = new.seq;
    elsif new.content <> '' then
        raise check_violation using message = 'a deleted message has no text';
    elsif old.deleted_at is null then
        delete from message_words where chat_id = new.chat_id and seq = new.seq;
        insert into deletions (chat_id, seq) values (new.chat_id, new.seq);
        update chats set deleted_seq = greatest(deleted_seq, new.seq) where id = new.chat_id;
    end if;
    return null;
end $$;
create trigger message_changed after update of content, deleted_at on messages for each row execute function message_changed();

-- The pointer log: what happened, without content, so that a replay shows the present and deleted text stays deleted.
create table chat_events (
    chat_id    uuid not null,
    seq        bigint not null,
    kind       text not null,      -- a logged channel's name
    message_id uuid,
    user_id    uuid,               -- the one removed, by a chatUpdated that removes
    actor_id   uuid not null,
    op_id      uuid not null,
    op_digest  bigint not null,    -- of the operation, its target and body: tells a retry from a reused key
    at         timestamptz not null,
    primary key (chat_id, seq)
);
create unique index chat_events_op on chat_events (actor_id, op_id);
create index chat_events_at on chat_events using brin (at) with (autosummarize = on);  -- else a sweep reads all that is new

-- When each watermark was reached: "read by whom, when" for every message, without a row per message and reader.
create table reads (
    chat_id uuid not null,
    user_id uuid not null,
    seq     bigint not null,
    at      timestamptz not null,
    primary key (chat_id, user_id, seq)
);
create index reads_at on reads (chat_id, at);

-- Work that is owed after a commit, and who does it: see "Work that is owed after a commit" in docs/architecture.md. The functions are further below.

-- Who works the log off. An instance knows its own release's, and leaves the others' rows alone.
create table consumers (
    name       text collate "C" primary key,
    swept_to   timestamptz,  -- of all events before, the work is done or the chat is due; null until the first sweep
    scan_after uuid          -- while every chat is looked at, the last one that was; null otherwise
);

-- No send writes here. A consumer of every chat makes a chat's row when it first works on it; another has a row where it was asked for.
create table consumer_positions (
    chat_id      uuid not null,
    consumer     text collate "C" not null,
    position     bigint not null default 0,   -- newest event whose work is done
    leased_until timestamptz,                 -- an instance works on it; also what tells one lease from another
    due_at       timestamptz,                 -- something was missed or failed: from then on any instance takes it
    owed_since   timestamptz,                 -- when due: the time of the oldest event that is not done
    failures     integer not null default 0,  -- one after the other
    primary key (chat_id, consumer)
) with (fillfactor = 70);
create index consumer_positions_due on consumer_positions (consumer, due_at) where due_at is not null;



-- Functions and their types.
-- Everything below is made anew by each `migrate`, over what is there. Instances of the release before call it too, from then on: what they call
-- stays, with the arguments that they give, and answers at least the columns that they read.


-- Parts of the mutations

create or replace function refuse(p_code text, p_field text default '') returns void language plpgsql as $$
begin
    raise exception using errcode = 'PA001', message = p_code, column = p_field;
end $$;

create or replace function now_ms() returns timestamptz language sql volatile as $$
    select date_trunc('milliseconds', clock_timestamp())
$$;

create or replace function locked_chat(p_chat uuid) returns chats language plpgsql as $$
declare c chats;
begin
    select * into c from chats where id = p_chat for no key update;
    if not found then
        perform refuse('not_found');
    end if;
    return c;
end $$;

-- The event of this operation's first run, or nulls. The caller holds the lock under which a first run would write it.
create or replace function first_run(p_actor uuid, p_op uuid, p_digest bigint) returns chat_events language plpgsql as $$
declare e chat_events;
begin
    select * into e from chat_events where actor_id = p_actor and op_id = p_op;
    if found and e.op_digest <> p_digest then
        perform refuse('idempotency_key_reused', 'Idempotency-Key');
    end if;
    return e;
end $$;

create or replace function check_participant(p_chat uuid, p_user uuid) returns void language plpgsql as $$
begin
    if not exists (select from participants where chat_id = p_chat and user_id = p_user) then
        perform refuse('not_found');
    end if;
end $$;

create or replace function append_event(
    c chats, p_kind text, p_message uuid, p_user uuid, p_actor uuid, p_op uuid, p_digest bigint, p_at timestamptz
) returns bigint language plpgsql as $$
begin
    insert into chat_events (chat_id, seq, kind, message_id, user_id, actor_id, op_id, op_digest, at)
    values (c.id, c.head_seq + 1, p_kind, p_message, p_user, p_actor, p_op, p_digest, p_at);
    update chats set head_seq = c.head_seq + 1, last_at = p_at where id = c.id;
    return c.head_seq + 1;
end $$;

create or replace function touch_memberships(p_users uuid[]) returns void language plpgsql as $$
begin
    perform from users where id = any(p_users) order by id for no key update;
    update users set membership_version = membership_version + 1 where id = any(p_users);
end $$;

create or replace function participant_ids(p_chat uuid) returns uuid[] language sql stable as $$
    select array(select user_id from participants where chat_id = p_chat order by user_id)
$$;

-- Messages by others, not deleted, above the watermark. Own messages are never above it (sending moves it), so what is above is
-- the messages sent since, less the deleted ones.
-- One row. As a table it becomes part of the plan of whoever asks; a function of one value would be run by itself for each of many rows.
create or replace function unread_of(p_chat uuid, p_message_count bigint, p_deleted_seq bigint, p_read_seq bigint, p_read_count bigint)
returns table (unread integer) language sql stable as $$
    select (p_message_count - p_read_count - case when p_read_seq >= p_deleted_seq then 0 else (
        select count(*) from deletions where chat_id = p_chat and seq > p_read_seq) end)::integer
$$;

create or replace function unread_count(p_chat uuid, p_message_count bigint, p_read_seq bigint, p_read_count bigint)
returns integer language sql stable as $$
    select unread from unread_of(p_chat, p_message_count, p_read_seq + 1, p_read_seq, p_read_count)
$$;

-- The counts of a chat's participants, with what orders two of them: head and watermark. It becomes part of the plan of whoever asks, who says whose.
create or replace function unread_counts(p_chat uuid)
returns table (user_id uuid, unread integer, head_seq bigint, read_seq bigint) language sql stable as $$
    select p.user_id, u.unread, c.head_seq, p.read_seq
    from chats c join participants p on p.chat_id = c.id
    cross join lateral unread_of(c.id, c.message_count, c.deleted_seq, p.read_seq, p.read_count) u
    where c.id = p_chat
$$;

-- Those of some (of all but p_except where p_users is null). Where the list is a parameter, a plan for all values reads every participant.
create or replace function unread_counts(p_chat uuid, p_users uuid[], p_except uuid)
returns table (user_id uuid, unread integer, head_seq bigint, read_seq bigint) language sql stable as $$
    select * from unread_counts(p_chat) c where (p_users is null or c.user_id = any(p_users)) and c.user_id is distinct from p_except
$$;


-- Messages

do $$ begin
    -- A Message: what every function and query answers of one. `message_of` makes it.
    create type message as (
        id           uuid,
        chat_id      uuid,
        seq          bigint,
        sender_id    uuid,
        content      text,          -- empty when deleted
        created_at   timestamptz,
        edited_at    timestamptz,
        deleted_at   timestamptz
    );
exception when duplicate_object then null; end $$;

do $$ begin
    -- A Message and what happened to it.
    create type message_change as (
        repeated     boolean,
        event_seq    bigint,        -- null where nothing happened
        id           uuid,
        chat_id      uuid,
        seq          bigint,
        sender_id    uuid,
        content      text,
        created_at   timestamptz,
        edited_at    timestamptz,
        read_now     boolean,       -- sending moved the sender's watermark over messages of others
        derive       boolean,       -- too many participants: nobody's count is in `unread`
        unread       json,          -- [[userId, unread, headSeq, readSeq], …] of those whose count changed
        deleted_at   timestamptz
    );
exception when duplicate_object then null; end $$;

create or replace function message_of(m messages) returns message language sql immutable as $$
    select row(m.id, m.chat_id, m.seq, m.sender_id, m.content, m.created_at, m.edited_at, m.deleted_at)::message
$$;

-- The counts of all whose watermark is below p_above, but for p_except, as `message_change` has them.
create or replace function counts_below(p_chat uuid, p_above bigint, p_except uuid default null) returns json language sql stable as $$
    select coalesce(json_agg(json_build_array(user_id, unread, head_seq, read_seq)), '[]')
    from unread_counts(p_chat, null, p_except) where read_seq < p_above
$$;

create or replace function change_of(
    m message, p_repeated boolean, p_seq bigint, p_read_now boolean, p_derive boolean, p_unread json
) returns message_change language sql immutable as $$
    select row(p_repeated, p_seq, m.id, m.chat_id, m.seq, m.sender_id, m.content, m.created_at, m.edited_at,
               p_read_now, p_derive, p_unread, m.deleted_at)::message_change
$$;

-- The steps of a mutation with as few statements as they take: it is the one that everybody waits for. Counts are differences unless somebody's
-- watermark is below a deleted message.
create or replace function create_message(
    p_actor uuid, p_op uuid, p_digest bigint, p_chat uuid, p_content text, p_unread_limit integer
) returns message_change language plpgsql as $$
declare
    new_id      uuid := gen_random_uuid();
    t           timestamptz := now_ms();
    new_seq     bigint;
    new_ordinal bigint;
    gone_seq    bigint;   -- chats.deleted_seq
    derive      boolean;
    my_seq      bigint;
    my_count    bigint;
    lowest_seq  bigint;
    had_unread  boolean;
    counts      json := '[]';
begin
    -- Locks the chat and takes the next place in it.
    update chats set head_seq = head_seq + 1, message_count = message_count + 1, last_at = greatest(last_at, t), active_at = greatest(last_at, t)
    where id = p_chat
    returning head_seq, message_count, last_at, deleted_seq, participant_count > p_unread_limit into new_seq, new_ordinal, t, gone_seq, derive;
    if not found then
        perform refuse('not_found');
    end if;
    insert into chat_events (chat_id, seq, kind, message_id, actor_id, op_id, op_digest, at)
    values (p_chat, new_seq, 'messageAdded', new_id, p_actor, p_op, p_digest, t) on conflict (actor_id, op_id) do nothing;
    if not found then
        return created_before(p_actor, p_op, p_digest, p_chat, derive);
    end if;

    if derive then
        select read_seq, read_count into my_seq, my_count from participants where chat_id = p_chat and user_id = p_actor;
    else
        select min(read_seq) filter (where user_id = p_actor), min(read_count) filter (where user_id = p_actor), min(read_seq), coalesce(
            json_agg(case user_id when p_actor then json_build_array(user_id, 0, new_seq, new_seq)
                                  else json_build_array(user_id, new_ordinal - read_count, new_seq, read_seq) end)
            filter (where user_id <> p_actor or read_count < new_ordinal - 1), '[]')
        into my_seq, my_count, lowest_seq, counts from participants where chat_id = p_chat;
    end if;
    if my_seq is null then
        perform refuse('not_found');
    end if;
    had_unread := my_count < new_ordinal - 1 and (my_seq >= gone_seq or unread_count(p_chat, new_ordinal - 1, my_seq, my_count) > 0);
    insert into messages (id, chat_id, seq, ordinal, sender_id, content, created_at)
    values (new_id, p_chat, new_seq, new_ordinal, p_actor, p_content, t);
    update participants set read_seq = new_seq, read_count = new_ordinal, read_at = t where chat_id = p_chat and user_id = p_actor;
    if had_unread then
        insert into reads (chat_id, user_id, seq, at) values (p_chat, p_actor, new_seq, t);
    end if;
    if lowest_seq < gone_seq then
        counts := counts_below(p_chat, new_seq + 1, case when not had_unread then p_actor end);
    end if;
    return row(false, new_seq, new_id, p_chat, new_seq, p_actor, p_content, t, null::timestamptz, had_unread, derive, counts, null::timestamptz);
end $$;

-- The answer to a message that was sent before. `create_message` has taken a place for it, which the chat gets back.
create or replace function created_before(p_actor uuid, p_op uuid, p_digest bigint, p_chat uuid, p_derive boolean)
returns message_change language plpgsql as $$
declare
    e chat_events := first_run(p_actor, p_op, p_digest);
    m messages;
begin
    update chats set head_seq = head_seq - 1, message_count = message_count - 1,
                     active_at = coalesce((select created_at from messages where chat_id = p_chat order by seq desc limit 1), created_at)
    where id = p_chat;
    select * into m from messages where id = e.message_id;
    return change_of(message_of(m), true, e.seq, false, p_derive, '[]');
end $$;

-- Messages into any chats in one transaction, each with its own answer or refusal, in the order given. However many there are, it is two
-- statements, and a chat's row is written once. Unread counts are the chat's last ones, and come with its last new message.
create or replace function create_messages(
    p_actors uuid[], p_ops uuid[], p_digests bigint[], p_chats uuid[], p_contents text[], p_unread_limit integer
) returns table (
    item bigint, refusal text, repeated boolean, id uuid, chat_id uuid, seq bigint, sender_id uuid, content text,
    created_at timestamptz, edited_at timestamptz, deleted_at timestamptz, read_now boolean, derive boolean, unread json
) language plpgsql as $$
#variable_conflict use_column
declare t timestamptz;
begin
    perform from chats where id = any(p_chats) order by id for no key update;
    t := now_ms();

    return query
    with found as (
        select i.*, c.head_seq, c.message_count, c.deleted_seq, c.participant_count, e.seq as first_seq, e.op_digest, e.message_id, p.read_seq, p.read_count,
               greatest(t, c.last_at) as new_at
        from unnest(p_actors, p_ops, p_digests, p_chats, p_contents) with ordinality as i (actor, op, digest, chat_id, content, item)
        -- Laterals with a limit, so that no plan ever reads a whole table.
        left join lateral (select * from chats where id = i.chat_id limit 1) c on true
        left join lateral (select * from chat_events where actor_id = i.actor and op_id = i.op limit 1) e on true
        left join lateral (select * from participants where chat_id = i.chat_id and user_id = i.actor limit 1) p on true
    ), placed as (
        select *, gen_random_uuid() as new_id, array_agg(actor) over before as earlier, lead(item) over before is null as is_last,
               head_seq + row_number() over before as new_seq, message_count + row_number() over before as new_ordinal
        from found where first_seq is null and read_seq is not null
        window before as (partition by chat_id order by item rows between unbounded preceding and 1 preceding)
    ), new as (
        -- Sending moves the sender's watermark: over messages of others, if there are any since.
        select *, case when actor = any(earlier) then earlier[cardinality(earlier)] <> actor else read_count < new_ordinal - 1 and (
                  read_seq >= deleted_seq or unread_count(chat_id, new_ordinal - 1, read_seq, read_count) > 0) end as had_unread
        from placed
    ), sent as (
        insert into messages (id, chat_id, seq, ordinal, sender_id, content, created_at)
        select new_id, chat_id, new_seq, new_ordinal, actor, content, new_at from new
    ), logged as (
        insert into chat_events (chat_id, seq, kind, message_id, actor_id, op_id, op_digest, at)
        select chat_id, new_seq, 'messageAdded', new_id, actor, op, digest, new_at from new
    ), moved as (
        update chats c set head_seq = new_seq, message_count = new_ordinal, last_at = new_at, active_at = new_at
        from new where is_last and c.id = new.chat_id
    ), senders as (
        select chat_id, actor, max(new_seq) as read_seq, max(new_ordinal) as read_count, max(new_at) as read_at, bool_or(had_unread) as had_unread
        from new group by chat_id, actor
    ), read as (
        update participants p set read_seq = s.read_seq, read_count = s.read_count, read_at = s.read_at
        from senders s where p.chat_id = s.chat_id and p.user_id = s.actor
    ), noted as (
        insert into reads (chat_id, user_id, seq, at) select chat_id, actor, new_seq, new_at from new where had_unread
    ), counted as (
        -- This statement sees neither the messages nor the watermarks that it writes, so both come from above.
        select item, json_agg(json_build_array(p.user_id, unread, new_seq, u.read_seq)) as counts
        from new join participants p on p.chat_id = new.chat_id left join senders s on s.chat_id = p.chat_id and s.actor = p.user_id
        cross join lateral (select coalesce(s.read_seq, p.read_seq) as read_seq, coalesce(s.read_count, p.read_count) as read_count) u
        cross join lateral unread_of(new.chat_id, new_ordinal, deleted_seq, u.read_seq, u.read_count)
        where is_last and participant_count <= p_unread_limit and (u.read_seq < new_seq or s.had_unread)
        group by item
    )
    select item, null, false, new_id, chat_id, new_seq, actor, content, new_at, null::timestamptz, null::timestamptz,
           had_unread, participant_count > p_unread_limit, coalesce(counts, '[]')
    from new left join counted using (item)
    union all
    select f.item, case when first_seq is null then 'not_found' when op_digest <> digest then 'idempotency_key_reused' end, true,
           m.id, f.chat_id, m.seq, f.actor, m.content, m.created_at, m.edited_at, m.deleted_at, false, false, '[]'
    from found f left join messages m on m.id = f.message_id where first_seq is not null or read_seq is null;
end $$;

create or replace function update_message(p_actor uuid, p_op uuid, p_digest bigint, p_message uuid, p_content text)
returns message_change language plpgsql as $$
declare
    c chats := locked_chat((select chat_id from messages where id = p_message));
    e chat_events := first_run(p_actor, p_op, p_digest);
    m messages;
    t timestamptz := greatest(now_ms(), c.last_at);
begin
    select * into m from messages where id = p_message;
    if e.seq is not null then
        return change_of(message_of(m), true, e.seq, false, false, '[]');
    end if;
    perform check_participant(c.id, p_actor);
    if m.sender_id <> p_actor then
        perform refuse('not_the_sender');
    elsif m.deleted_at is not null then
        perform refuse('message_is_deleted');
    end if;
    update messages set content = p_content, edited_at = t where id = p_message returning * into m;
    return change_of(message_of(m), false, append_event(c, 'messageUpdated', m.id, null, p_actor, p_op, p_digest, t), false, false, '[]');
end $$;

-- Leaves a tombstone.
create or replace function remove_message(p_actor uuid, p_op uuid, p_digest bigint, p_message uuid, p_unread_limit integer)
returns message_change language plpgsql as $$
declare
    c chats := locked_chat((select chat_id from messages where id = p_message));
    e chat_events := first_run(p_actor, p_op, p_digest);
    m messages;
    t timestamptz := greatest(now_ms(), c.last_at);
    s bigint;
    derive boolean := c.participant_count > p_unread_limit;
begin
    select * into m from messages where id = p_message;
    if e.seq is not null then
        return change_of(message_of(m), true, e.seq, false, derive, '[]');
    end if;
    perform check_participant(c.id, p_actor);
    if m.sender_id <> p_actor and c.owner_id is distinct from p_actor then
        perform refuse('not_the_sender');
    elsif m.deleted_at is not null then
        return change_of(message_of(m), true, null, false, derive, '[]');
    end if;
    update messages set content = '', edited_at = null, deleted_at = t where id = p_message returning * into m;
    s := append_event(c, 'messageDeleted', m.id, null, p_actor, p_op, p_digest, t);
    return change_of(message_of(m), false, s, false, derive, case when derive then '[]' else counts_below(c.id, m.seq) end);
end $$;


-- Search

-- Puts the words of messages where a search finds them: of each of these chats, up to p_limit messages after a seq. Answers the seq up to which
-- the chat is indexed then, its head where nothing is left. As often as you like: what is there already stays. An edit or a deletion of one of
-- the messages waits until this has committed, and then changes its words.
create or replace function index_messages(p_chats uuid[], p_after bigint[], p_limit integer)
returns table (chat_id uuid, indexed_seq bigint) language sql as $$
    with page as materialized (
        select a.chat, c.head_seq, m.id, m.seq
        from unnest(p_chats, p_after) as a (chat, after) join chats c on c.id = a.chat left join lateral (
            select id, seq from messages where chat_id = a.chat and seq > a.after order by seq limit p_limit) m on true
    ), living as materialized (
        select m.chat_id, m.seq, m.created_at, m.content from page join messages m on m.id = page.id where m.deleted_at is null for share of m
    ), indexed as (
        insert into message_words as w (chat_id, seq, created_at, words)
        select chat_id, seq, created_at, to_tsvector('simple', content) from living
        on conflict (chat_id, seq) do update set words = excluded.words where w.words <> excluded.words
    )
    select chat, case when count(seq) < p_limit then max(head_seq) else max(seq) end from page group by chat
$$;

-- Living messages that match, in the actor's chats or in one of them, newest first, with the matching words marked. The chats are an array so
-- that the index of words and that of chats are combined: what others write is not fetched. Large bitmaps stay exact in this much memory.
create or replace function search_messages(
    p_actor uuid, p_query tsquery, p_marking text, p_chat uuid, p_before uuid, p_limit integer
) returns table (
    id uuid, chat_id uuid, seq bigint, sender_id uuid, content text, created_at timestamptz, edited_at timestamptz, marked text
) language sql stable set work_mem = '64MB' set plan_cache_mode = 'auto' as $$
    with own as materialized (
        select array(select p.chat_id from participants p where p.user_id = p_actor and (p_chat is null or p.chat_id = p_chat)) as chats
    ), found as materialized (
        select w.chat_id, w.seq
        from message_words w
        where w.words @@ p_query and w.chat_id = any((select chats from own)::uuid[])
          and querytree(p_query) not in ('', 'T')  -- else there is no word to look for, and the index would be read from end to end
          and (p_before is null or (w.created_at, w.chat_id, w.seq) < (
              select b.created_at, b.chat_id, b.seq from messages b
              where b.id = p_before and b.chat_id in (select p.chat_id from participants p where p.user_id = p_actor)))
        order by w.created_at desc, w.chat_id desc, w.seq desc limit p_limit
    )
    select m.id, m.chat_id, m.seq, m.sender_id, m.content, m.created_at, m.edited_at, ts_headline('simple', m.content, p_query, p_marking)
    from found f join messages m on m.chat_id = f.chat_id and m.seq = f.seq
    where m.deleted_at is null
    order by m.created_at desc, m.chat_id desc, m.seq desc
$$;


-- Reading

-- When somebody's watermark first reached this seq; null where it passed nothing unread on its way.
create or replace function first_read_at(p_chat uuid, p_user uuid, p_seq bigint) returns timestamptz language sql stable as $$
    select at from reads where chat_id = p_chat and user_id = p_user and seq >= p_seq order by seq limit 1
$$;

-- Takes no lock on the chat: many readers must not hold up a sender. (head, watermark) orders the counts instead.
create or replace function mark_read(p_actor uuid, p_message uuid)
returns table (moved boolean, chat_id uuid, seq bigint, read_at timestamptz, unread integer, head_seq bigint, read_seq bigint)
language plpgsql as $$
#variable_conflict use_column
declare
    m  messages;
    me participants;
    t  timestamptz;
begin
    select * into m from messages where id = p_message;
    select * into me from participants where chat_id = m.chat_id and user_id = p_actor for no key update;
    if not found then
        perform refuse('not_found');
    end if;
    if m.seq > me.read_seq then
        t := greatest(now_ms(), me.read_at, m.created_at);
        update participants set read_seq = m.seq, read_count = m.ordinal, read_at = t
        where chat_id = m.chat_id and user_id = p_actor;
        insert into reads (chat_id, user_id, seq, at) values (m.chat_id, p_actor, m.seq, t);
        return query select true, m.chat_id, m.seq, t, u.unread, u.head_seq, u.read_seq
                     from unread_counts(m.chat_id) u where u.user_id = p_actor;
    else
        t := case when m.sender_id = p_actor then m.created_at
                  when m.seq <= me.joined_seq then me.joined_at
                  else coalesce(first_read_at(m.chat_id, p_actor, m.seq), me.read_at) end;
        return query select false, m.chat_id, m.seq, t, u.unread, u.head_seq, u.read_seq
                     from unread_counts(m.chat_id) u where u.user_id = p_actor;
    end if;
end $$;

-- A participant's own wish: no event, no seq, nobody else is told.
create or replace function set_muted(p_actor uuid, p_chat uuid, p_muted boolean) returns void language plpgsql as $$
begin
    update participants set muted = p_muted where chat_id = p_chat and user_id = p_actor and muted <> p_muted;
    if not found then
        perform check_participant(p_chat, p_actor);
    end if;
end $$;


-- Chats

do $$ begin
    create type chat_outcome as (
        repeated        boolean,
        event_seq       bigint,     -- null where nothing happened
        kind            text,
        id              uuid,
        name            text,
        description     text,
        chat_type       text,
        participant_ids uuid[],
        created_at      timestamptz,
        updated_at      timestamptz,
        owner_id        uuid
    );
exception when duplicate_object then null; end $$;

create or replace function chat_result(p_chat uuid, p_repeated boolean, p_seq bigint, p_kind text)
returns chat_outcome language sql stable as $$
    select row(p_repeated, p_seq, p_kind, c.id, c.name, c.description, c.chat_type, participant_ids(c.id),
               c.created_at, c.updated_at, c.owner_id)::chat_outcome
    from chats c where c.id = p_chat
$$;

create or replace function join_chat(p_chat uuid, p_users uuid[], p_seq bigint, p_message_count bigint, p_at timestamptz)
returns uuid[] language plpgsql as $$
declare added uuid[];
begin
    with new as (
        insert into participants (chat_id, user_id, joined_seq, joined_at, read_seq, read_count)
        select p_chat, id, p_seq, p_at, p_seq, p_message_count from unnest(p_users) as id
        on conflict do nothing returning user_id
    ) select array_agg(user_id) into added from new;
    update chats set participant_count = participant_count + coalesce(cardinality(added), 0) where id = p_chat;
    perform touch_memberships(added);
    return added;
end $$;

create or replace function create_chat(
    p_actor uuid, p_op uuid, p_digest bigint, p_type text, p_name text, p_description text, p_users uuid[], p_max integer
) returns chat_outcome language plpgsql as $$
declare
    e       chat_events;
    c       chats;
    members uuid[] := array(select distinct id from unnest(p_users || p_actor) as id);
    new_id  uuid := gen_random_uuid();
    pair    text;
    t       timestamptz := now_ms();
begin
    -- There is no chat to lock yet: two runs of one operation meet here instead.
    perform pg_advisory_xact_lock(hashtextextended(p_actor::text || p_op::text, 0));
    e := first_run(p_actor, p_op, p_digest);
    if e.seq is not null then
        perform check_participant(e.chat_id, p_actor);
        return chat_result(e.chat_id, true, e.seq, 'chatAdded');
    end if;
    if cardinality(members) > p_max then
        perform refuse('too_many_participants', 'participantIds');
    elsif p_type = 'direct' and cardinality(members) <> 2 then
        perform refuse('invalid_value', 'participantIds');
    elsif (select count(*) from users where id = any(members)) <> cardinality(members) then
        perform refuse('not_found', 'participantIds');
    end if;

    if p_type = 'direct' then
        pair := (select string_agg(id::text, ':' order by id) from unnest(members) as id);
    end if;
    loop
        insert into chats (id, chat_type, name, description, owner_id, direct_key, last_at, active_at, created_at, updated_at)
        values (new_id, p_type, p_name, p_description, case p_type when 'group' then p_actor end, pair, t, t, t, t)
        on conflict (direct_key) where deleted_at is null do nothing
        returning * into c;
        exit when found;
        select * into c from chats where direct_key = pair and deleted_at is null;
        if found then
            return chat_result(c.id, true, null, 'chatAdded');
        end if;
        -- The one that was in the way has been deleted in between.
    end loop;
    perform join_chat(c.id, members, 1, 0, t);
    return chat_result(c.id, false, append_event(c, 'chatAdded', null, null, p_actor, p_op, p_digest, t), 'chatAdded');
end $$;

create or replace function update_chat(
    p_actor uuid, p_op uuid, p_digest bigint, p_chat uuid,
    p_has_name boolean, p_name text, p_has_description boolean, p_description text
) returns chat_outcome language plpgsql as $$
declare
    c chats := locked_chat(p_chat);
    e chat_events := first_run(p_actor, p_op, p_digest);
    t timestamptz := greatest(now_ms(), c.last_at);
begin
    perform check_participant(c.id, p_actor);
    if e.seq is not null then
        return chat_result(c.id, true, e.seq, e.kind);
    elsif c.chat_type = 'direct' then
        perform refuse('direct_chat_is_fixed');
    end if;
    update chats set name = case when p_has_name then p_name else name end,
                     description = case when p_has_description then p_description else description end,
                     updated_at = t
    where id = c.id;
    return chat_result(c.id, false, append_event(c, 'chatUpdated', null, null, p_actor, p_op, p_digest, t), 'chatUpdated');
end $$;

create or replace function add_participants(p_actor uuid, p_op uuid, p_digest bigint, p_chat uuid, p_users uuid[], p_max integer)
returns chat_outcome language plpgsql as $$
declare
    c     chats := locked_chat(p_chat);
    e     chat_events := first_run(p_actor, p_op, p_digest);
    wanted uuid[] := array(select distinct id from unnest(p_users) as id);
    t     timestamptz := greatest(now_ms(), c.last_at);
begin
    perform check_participant(c.id, p_actor);
    if e.seq is not null then
        return chat_result(c.id, true, e.seq, e.kind);
    elsif c.chat_type = 'direct' then
        perform refuse('direct_chat_is_fixed');
    elsif (select count(*) from users where id = any(wanted)) <> cardinality(wanted) then
        perform refuse('not_found', 'userIds');
    end if;
    if join_chat(c.id, wanted, c.head_seq + 1, c.message_count, t) is null then
        return chat_result(c.id, true, null, 'chatUpdated');
    end if;
    update chats set updated_at = t where id = c.id returning * into c;
    if c.participant_count > p_max then
        perform refuse('too_many_participants', 'userIds');
    end if;
    return chat_result(c.id, false, append_event(c, 'chatUpdated', null, null, p_actor, p_op, p_digest, t), 'chatUpdated');
end $$;

create or replace function remove_participant(p_actor uuid, p_op uuid, p_digest bigint, p_chat uuid, p_user uuid)
returns chat_outcome language plpgsql as $$
declare
    c chats := locked_chat(p_chat);
    e chat_events := first_run(p_actor, p_op, p_digest);
    t timestamptz := greatest(now_ms(), c.last_at);
begin
    if e.seq is not null then
        return chat_result(c.id, true, e.seq, e.kind);
    end if;
    perform check_participant(c.id, p_actor);
    if c.chat_type = 'direct' then
        perform refuse('direct_chat_is_fixed');
    elsif p_user <> p_actor and c.owner_id <> p_actor then
        perform refuse('not_the_owner');
    end if;
    delete from participants where chat_id = c.id and user_id = p_user;
    if not found then
        perform refuse('not_found', 'userId');
    end if;
    perform touch_memberships(array[p_user]);
    update chats set
        participant_count = participant_count - 1,
        updated_at = t,
        deleted_at = case when participant_count = 1 then t end,
        owner_id = case when owner_id <> p_user then owner_id else coalesce(
            (select user_id from participants where chat_id = c.id order by joined_seq, joined_at, user_id limit 1), owner_id) end
    where id = c.id;
    return chat_result(c.id, false, append_event(c, 'chatUpdated', null, p_user, p_actor, p_op, p_digest, t), 'chatUpdated');
end $$;

create or replace function delete_chat(p_actor uuid, p_op uuid, p_digest bigint, p_chat uuid)
returns chat_outcome language plpgsql as $$
declare
    c chats := locked_chat(p_chat);
    e chat_events := first_run(p_actor, p_op, p_digest);
    t timestamptz := greatest(now_ms(), c.last_at);
begin
    if e.seq is not null then
        return chat_result(c.id, true, e.seq, e.kind);
    end if;
    perform check_participant(c.id, p_actor);
    if c.chat_type = 'group' and c.owner_id <> p_actor then
        perform refuse('not_the_owner');
    end if;
    perform touch_memberships(participant_ids(c.id));
    delete from participants where chat_id = c.id;
    update chats set participant_count = 0, updated_at = t, deleted_at = t where id = c.id;
    return chat_result(c.id, false, append_event(c, 'chatUpdated', null, null, p_actor, p_op, p_digest, t), 'chatUpdated');
end $$;


-- Accounts

create or replace function invitation_is_valid(i invitations) returns boolean language sql volatile as $$
    select i.revoked_at is null and i.expires_at > clock_timestamp() and i.uses < i.max_uses
$$;

create or replace function refuse_sign_up(p_invitation text) returns void language plpgsql as $$
begin
    if p_invitation is null then
        perform refuse('invitation_needed');
    end if;
    perform refuse('invitation_invalid', 'invitation');
end $$;

-- An account: the first one, which owns the server; or by an invitation, one of whose uses it takes; or where p_open, anybody's.
create or replace function create_user(
    p_username text, p_display_name text, p_password_hash text, p_op_hash bytea, p_open boolean, p_invitation text
) returns users language plpgsql as $$
declare
    u        users;
    is_first boolean;
begin
    if not exists (select from users) then
        perform from parley for no key update;  -- two that would both be the first meet here
    end if;
    is_first := not exists (select from users);
    insert into users (username, display_name, password_hash, op_hash, is_owner, created_at)
    values (p_username, p_display_name, p_password_hash, p_op_hash, is_first, now_ms())
    on conflict (lower(username)) do nothing
    returning * into u;
    if found then
        update invitations i set uses = uses + 1 where token = p_invitation and invitation_is_valid(i);
        if not (found or is_first or p_open) then
            perform refuse_sign_up(p_invitation);
        end if;
        return u;
    end if;
    select * into u from users where lower(username) = lower(p_username);
    if u.op_hash = p_op_hash then
        return u;
    elsif p_open or exists (select from invitations i where token = p_invitation and invitation_is_valid(i)) then
        perform refuse('username_taken', 'username');
    end if;
    perform refuse_sign_up(p_invitation);  -- which names are taken is not told to those who may not sign up
end $$;

-- A session for this token, or the one that a first run of the same sign-in made.
create or replace function create_session(p_user uuid, p_token_hash bytea, p_days integer, p_user_agent text)
returns sessions language plpgsql as $$
declare s sessions;
begin
    insert into sessions (user_id, token_hash, user_agent, created_at, last_used_at, expires_at)
    values (p_user, p_token_hash, p_user_agent, now_ms(), now_ms(), now_ms() + make_interval(days => p_days))
    on conflict (token_hash) do nothing
    returning * into s;
    if not found then
        select * into s from sessions where token_hash = p_token_hash;
        if s.revoked_at is not null or s.expires_at <= now() then
            perform refuse('idempotency_key_reused', 'Idempotency-Key');
        end if;
    end if;
    return s;
end $$;

-- The same for who gave the password with this hash, unless it was changed meanwhile.
create or replace function create_session(p_user uuid, p_token_hash bytea, p_days integer, p_user_agent text, p_password_hash text)
returns sessions language plpgsql as $$
begin
    perform from users where id = p_user and password_hash = p_password_hash for share;
    if not found then
        perform refuse('wrong_credentials');
    end if;
    return create_session(p_user, p_token_hash, p_days, p_user_agent);
end $$;

-- Answers the sessions that this ended: all of the user's but the one that asks.
create or replace function change_password(p_user uuid, p_session uuid, p_old_hash text, p_new_hash text)
returns table (ended uuid) language plpgsql as $$
begin
    -- The new hash is there already where this very call is made once more.
    update users set password_hash = p_new_hash where id = p_user and password_hash in (p_old_hash, p_new_hash);
    if not found then
        perform refuse('wrong_password', 'currentPassword');
    end if;
    return query update sessions set revoked_at = now_ms()
                 where user_id = p_user and id <> p_session and revoked_at is null returning id;
end $$;

-- A new invitation, or the one that a first run of the same operation made.
create or replace function create_invitation(p_actor uuid, p_op uuid, p_token text, p_days integer, p_uses integer)
returns invitations language plpgsql as $$
declare
    i invitations;
    t timestamptz := now_ms();
begin
    insert into invitations (token, created_by, op_id, max_uses, created_at, expires_at)
    values (p_token, p_actor, p_op, p_uses, t, t + make_interval(days => p_days))
    on conflict (created_by, op_id) do nothing
    returning * into i;
    if not found then
        select * into i from invitations where created_by = p_actor and op_id = p_op;
        if i.max_uses <> p_uses or i.expires_at - i.created_at <> make_interval(days => p_days) then
            perform refuse('idempotency_key_reused', 'Idempotency-Key');
        end if;
    end if;
    return i;
end $$;

-- Counts one attempt for each key; answers the seconds to wait, or 0 where every key is below its limit. Case is folded here, where
-- usernames are compared: what else folds it may take another spelling of a name for another name.
create or replace function take_sign_in_attempt(p_keys text[], p_limits integer[], p_window integer)
returns integer language plpgsql as $$
declare
    k record;
    a sign_in_attempts;
    wait integer := 0;
begin
    for k in select lower(x.key) as key, x.most from unnest(p_keys, p_limits) as x (key, most) order by 1 loop
        insert into sign_in_attempts as s (key, attempts, window_start) values (k.key, 1, clock_timestamp())
        on conflict (key) do update set
            attempts = case when s.window_start < clock_timestamp() - make_interval(secs => p_window) then 1 else s.attempts + 1 end,
            window_start = case when s.window_start < clock_timestamp() - make_interval(secs => p_window) then clock_timestamp() else s.window_start end
        returning * into a;
        if a.attempts > k.most then
            wait := greatest(wait, ceil(extract(epoch from a.window_start - clock_timestamp()) + p_window)::integer, 1);
        end if;
    end loop;
    return wait;
end $$;

-- A sign-in that succeeded was no guess: take its attempt back.
create or replace function return_sign_in_attempt(p_keys text[]) returns void language plpgsql as $$
begin
    p_keys := array(select lower(key) from unnest(p_keys) as key);
    perform from sign_in_attempts where key = any(p_keys) order by key for update;
    update sign_in_attempts set attempts = greatest(attempts - 1, 0) where key = any(p_keys);
end $$;


-- Housekeeping

-- Prunes up to p_limit events older than p_before. Times never run back within a chat, so what goes is a prefix of each chat's log.
create or replace function prune_events(p_before timestamptz, p_limit integer) returns integer language plpgsql as $$
declare n integer;
begin
    with old as (
        select chat_id, seq from chat_events where at < p_before order by at, chat_id, seq limit p_limit
    ), gone as (
        delete from chat_events e using old where e.chat_id = old.chat_id and e.seq = old.seq returning e.chat_id, e.seq
    ), floors as (
        select chat_id, max(seq) as seq, count(*) as events from gone group by chat_id
    ), locked as (
        select id from chats where id in (select chat_id from floors) order by id for no key update
    ), raised as (
        update chats c set floor_seq = greatest(c.floor_seq, f.seq)
        from floors f, locked l where c.id = f.chat_id and l.id = c.id returning f.events
    )
    select coalesce(sum(events), 0)::integer into n from raised;
    return n;
end $$;


-- Work that is owed after a commit
--
-- Two things say that a chat is owed work: an instance that has committed an event remembers it, or the chat is due. `claim_chats` gives a lease, the
-- work is done outside, and `settle_chats` or `return_chats` end the lease. Who has lost it meanwhile changes nothing: `leased_until` is the token.
-- Rows are locked in the order of chat ids, or not waited for. Each row is found by its chat: a plan that goes by the consumer reads all chats.

-- Leases those of these chats that are owed work and that nobody else has. The others: only those that are owed work and must be asked for
-- again, without a lease; whoever has failed or is done comes back by being due.
create or replace function claim_chats(p_consumer text, p_chats uuid[], p_everywhere boolean, p_seconds double precision)
returns table (chat_id uuid, "position" bigint, lease timestamptz) language plpgsql as $$
#variable_conflict use_column
declare
    t         timestamptz := clock_timestamp();
    lease_end timestamptz := t + make_interval(secs => p_seconds);
    claimed   integer := 0;
    n         integer;
begin
    loop
        return query
        with free as materialized (
            select p.chat_id from consumer_positions p join chats c on c.id = p.chat_id
            where p.chat_id = any(p_chats) and p.consumer = p_consumer and p.position < c.head_seq
              and (p.leased_until is null or p.leased_until <= t) and (p.failures = 0 or p.due_at <= t)
            for no key update of p skip locked
        )
        update consumer_positions p set leased_until = lease_end, due_at = case when p.due_at is not null then lease_end end
        from free f where p.chat_id = f.chat_id and p.consumer = p_consumer
        returning p.chat_id, p.position, p.leased_until;
        get diagnostics n = row_count;
        claimed := claimed + n;
        if claimed = cardinality(p_chats) then
            return;
        end if;
        exit when not p_everywhere;
        insert into consumer_positions (chat_id, consumer)
        select i.id, p_consumer from unnest(p_chats) as i (id)
        cross join lateral (select from chats where id = i.id limit 1) c
        left join lateral (select true as found from consumer_positions p where p.chat_id = i.id and p.consumer = p_consumer limit 1) p on true
        where p.found is null order by i.id on conflict do nothing;
        exit when not found;
    end loop;

    -- Due, and there is nothing to do: it was done before this was noticed. A position above the head is one of another history.
    update consumer_positions p set due_at = null, owed_since = null, failures = 0, position = c.head_seq
    from chats c
    where p.chat_id = any(p_chats) and p.consumer = p_consumer and c.id = p.chat_id and p.position >= c.head_seq
      and (p.due_at <= t or p.position > c.head_seq) and (p.leased_until is null or p.leased_until <= t);

    return query
    select p.chat_id, p.position, null::timestamptz from consumer_positions p join chats c on c.id = p.chat_id
    where p.chat_id = any(p_chats) and p.consumer = p_consumer and p.position < c.head_seq and p.failures = 0
      and p.leased_until is distinct from lease_end;
end $$;

-- Moves positions to where the work is done, and ends the lease. Answers the chats that are owed more.
create or replace function settle_chats(p_consumer text, p_chats uuid[], p_positions bigint[], p_lease timestamptz)
returns table (chat_id uuid) language plpgsql as $$
#variable_conflict use_column
begin
    return query
    with done as materialized (
        select p.chat_id, p_positions[array_position(p_chats, p.chat_id)] as seq, c.head_seq from consumer_positions p join chats c on c.id = p.chat_id
        where p.chat_id = any(p_chats) and p.consumer = p_consumer and p.leased_until = p_lease
    ), settled as (
        update consumer_positions p set
            position = d.seq, leased_until = null, failures = 0,
            -- What became due since the lease began stays so: the work may not have seen it.
            due_at = case when p.due_at <> p_lease then p.due_at when p.due_at = p_lease and d.seq < d.head_seq then clock_timestamp() end,
            owed_since = case when p.due_at <> p_lease or d.seq < d.head_seq then p.owed_since end
        from done d where p.chat_id = d.chat_id and p.consumer = p_consumer and p.leased_until = p_lease
        returning p.chat_id, d.seq < d.head_seq as more
    )
    select chat_id from settled where more;
end $$;

-- Ends a lease without the work. After a failure the chat is due in 1, 2, 4 … up to p_most seconds; p_most is 0 where it was only given up.
create or replace function return_chats(p_consumer text, p_chats uuid[], p_lease timestamptz, p_most double precision) returns void language sql as $$
    update consumer_positions set
        leased_until = null, failures = failures + (p_most > 0)::integer,
        due_at = clock_timestamp() + make_interval(secs => least(p_most, 2.0 ^ least(failures, 30))),
        owed_since = coalesce(owed_since, clock_timestamp())
    where chat_id = any(p_chats) and consumer = p_consumer and leased_until = p_lease
$$;

-- Makes chats due whose work was missed, because an instance died between its commit and the work, or knew nothing of the consumer. One instance at a
-- time and once in p_every seconds: it looks at each event once, by time, p_grace seconds after it; what is done by then costs nothing more. Where
-- times cannot tell (at first, after a day without a sweep, or when the clock has run back) it looks at all chats, p_page at a time.
-- Answers whether there is more to look at now.
create or replace function find_missed(
    p_consumer text, p_everywhere boolean, p_every double precision, p_grace double precision, p_page integer
) returns boolean language plpgsql as $$
declare
    k       consumers;
    newest  timestamptz;
    horizon timestamptz;
    page    uuid[];
begin
    if not exists (select from consumers where name = p_consumer) then
        insert into consumers (name) values (p_consumer) on conflict do nothing;
    end if;
    select * into k from consumers where name = p_consumer for update skip locked;
    if not found then
        return false;
    end if;
    -- A transaction that still runs may have taken its event's time when it began.
    select least(clock_timestamp() - make_interval(secs => p_grace), min(xact_start)) into newest
    from pg_stat_activity where backend_xid is not null and pid <> pg_backend_pid();

    horizon := newest;
    if k.swept_to is null or k.swept_to > clock_timestamp() or k.swept_to < newest - interval '1 day' then
        k.scan_after := '00000000-0000-0000-0000-000000000000';
        k.swept_to := newest;
    elsif k.swept_to < newest - make_interval(secs => p_every) then
        horizon := least(newest, k.swept_to + interval '1 minute');
        insert into consumer_positions as p (chat_id, consumer, due_at, owed_since)
        select e.chat_id, p_consumer, clock_timestamp(), e.since
        from (select chat_id, max(seq) as seq, min(at) as since from chat_events where at >= k.swept_to and at < horizon group by chat_id) e
        left join lateral (select * from consumer_positions where chat_id = e.chat_id and consumer = p_consumer limit 1) o on true
        where o.due_at is null and case when o.chat_id is null then p_everywhere else o.position < e.seq end
        order by e.chat_id
        on conflict (chat_id, consumer) do update set due_at = excluded.due_at, owed_since = excluded.owed_since where p.due_at is null;
        k.swept_to := horizon;
    end if;

    if k.scan_after is not null then
        page := array(select id from chats where id > k.scan_after order by id limit p_page);
        insert into consumer_positions as p (chat_id, consumer, due_at, owed_since)
        select c.id, p_consumer, clock_timestamp(), coalesce(
            (select e.at from chat_events e where e.chat_id = c.id and e.seq > coalesce(o.position, 0) order by e.seq limit 1), c.last_at)
        from unnest(page) as i (id) cross join lateral (select * from chats where id = i.id limit 1) c
        left join lateral (select * from consumer_positions where chat_id = i.id and consumer = p_consumer limit 1) o on true
        where o.due_at is null and case when o.chat_id is null then p_everywhere else o.position < c.head_seq end
        order by c.id
        on conflict (chat_id, consumer) do update set due_at = excluded.due_at, owed_since = excluded.owed_since where p.due_at is null;
        k.scan_after := case when cardinality(page) = p_page then page[p_page] end;
    end if;
    update consumers set swept_to = k.swept_to, scan_after = k.scan_after where name = p_consumer;
    return k.scan_after is not null or horizon < newest;
end $$;

-- After a backup was restored: what was done after it did not happen, and what happens from now on is owed.
create or replace function forget_other_history() returns void language sql as $$
    update consumer_positions p set position = c.head_seq from chats c where c.id = p.chat_id and p.position > c.head_seq;
    update consumers set swept_to = null, scan_after = null;
$$;


-- As the release before calls it

-- Its instances go on during a deploy, and perhaps after going back. What answers otherwise now has another name above; what stands here takes the
-- arguments of the release before and answers as it did there. `message_result` and `unread_for_all` serve calls that were under way when the
-- functions were made anew. Nobody works off there what is owed after a commit, so words are found in the transaction, as they were. The release
-- after this one drops all of it: by name, in the list below.

do $$ begin
    create type message_outcome as (
        repeated     boolean,
        event_seq    bigint,
        id           uuid,
        chat_id      uuid,
        seq          bigint,
        sender_id    uuid,
        content      text,
        created_at   timestamptz,
        edited_at    timestamptz,
        read_now     boolean,
        derive       boolean,
        unread       jsonb
    );
exception when duplicate_object then null; end $$;

create or replace function outcome_of(m message_change) returns message_outcome language sql immutable as $$
    select row(m.repeated, m.event_seq, m.id, m.chat_id, m.seq, m.sender_id, m.content, m.created_at, m.edited_at,
               m.read_now, m.derive, m.unread::jsonb)::message_outcome
$$;

create or replace function send_message(
    p_actor uuid, p_op uuid, p_digest bigint, p_chat uuid, p_content text, p_unread_limit integer
) returns message_outcome language sql as $$
    with sent as materialized (
        select m from create_message(p_actor, p_op, p_digest, p_chat, p_content, p_unread_limit) m
    ), indexed as (
        insert into message_words (chat_id, seq, created_at, words)
        select (m).chat_id, (m).seq, (m).created_at, to_tsvector('simple', (m).content) from sent where not (m).repeated
    )
    select outcome_of(m) from sent
$$;

create or replace function send_messages(
    p_actors uuid[], p_ops uuid[], p_digests bigint[], p_chats uuid[], p_contents text[], p_unread_limit integer
) returns table (
    item bigint, refusal text, repeated boolean, id uuid, chat_id uuid, seq bigint, sender_id uuid, content text,
    created_at timestamptz, edited_at timestamptz, read_now boolean, derive boolean, unread jsonb
) language sql as $$
    with sent as materialized (
        select * from create_messages(p_actors, p_ops, p_digests, p_chats, p_contents, p_unread_limit)
    ), indexed as (
        insert into message_words (chat_id, seq, created_at, words)
        select chat_id, seq, created_at, to_tsvector('simple', content) from sent where refusal is null and not repeated
    )
    select item, refusal, repeated, id, chat_id, seq, sender_id, content, created_at, edited_at, read_now, derive, unread::jsonb from sent
$$;

create or replace function edit_message(p_actor uuid, p_op uuid, p_digest bigint, p_message uuid, p_content text)
returns message_outcome language sql as $$
    select outcome_of(m) from update_message(p_actor, p_op, p_digest, p_message, p_content) m
$$;

create or replace function delete_message(p_actor uuid, p_op uuid, p_digest bigint, p_message uuid, p_unread_limit integer)
returns message_outcome language sql as $$
    select outcome_of(m) from remove_message(p_actor, p_op, p_digest, p_message, p_unread_limit) m
$$;

create or replace function unread_for_all(p_chat uuid, p_except uuid, p_above bigint) returns jsonb language sql stable as $$
    select counts_below(p_chat, p_above, p_except)::jsonb
$$;

create or replace function message_result(
    m messages, p_repeated boolean, p_seq bigint, p_read_now boolean, p_derive boolean, p_unread jsonb
) returns message_outcome language sql immutable as $$
    select row(p_repeated, p_seq, m.id, m.chat_id, m.seq, m.sender_id, m.content, m.created_at, m.edited_at,
               p_read_now, p_derive, p_unread)::message_outcome
$$;

create or replace function unread_of(p_chat uuid, p_message_count bigint, p_read_seq bigint, p_read_count bigint)
returns table (unread integer) language sql stable as $$
    select unread from unread_of(p_chat, p_message_count, p_read_seq + 1, p_read_seq, p_read_count)
$$;

create or replace function create_user(p_username text, p_display_name text, p_password_hash text, p_op_hash bytea)
returns users language sql as $$
    select * from create_user(p_username, p_display_name, p_password_hash, p_op_hash, true, null)
$$;


-- What no release calls any more that can still run: dropped here and not by a migration, because nothing above calls it from now on.

drop function if exists own_count(uuid, uuid);
drop function if exists add_column(regclass, text, text);

-- Indexes that nothing above uses. Until the functions above are made, those of the release before need them.

drop index if exists messages_text;
drop index if exists messages_deleted;
