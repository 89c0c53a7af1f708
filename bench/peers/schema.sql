-- The tables of the peers that store messages, filled by the bench.
create schema peer;
create table peer.chats (id uuid primary key, participants integer not null);
create table peer.participants (chat_id uuid not null, user_id uuid not null, unread integer not null default 0, primary key (chat_id, user_id));
create table peer.messages (
    id         uuid primary key default gen_random_uuid(),
    chat_id    uuid not null,
    sender_id  uuid not null,
    content    text not null,
    created_at timestamptz not null default clock_timestamp()
);
create index on peer.messages (chat_id, created_at);
create table peer.sessions (token text primary key, user_id uuid not null);
