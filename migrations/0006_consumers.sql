-- Work that is owed after a commit: who does it, and how far they have come. Nobody reads or writes these tables yet.

create table if not exists consumers (
    name       text collate "C" primary key,
    swept_to   timestamptz,
    scan_after uuid
);

create table if not exists consumer_positions (
    chat_id      uuid not null,
    consumer     text collate "C" not null,
    position     bigint not null default 0,
    leased_until timestamptz,
    due_at       timestamptz,
    owed_since   timestamptz,
    failures     integer not null default 0,
    primary key (chat_id, consumer)
) with (fillfactor = 70);
create index if not exists consumer_positions_due on consumer_positions (consumer, due_at) where due_at is not null;

-- Holds up neither readers nor writers.
alter index chat_events_at set (autosummarize = on);
