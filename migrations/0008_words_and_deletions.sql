-- A send writes less: which messages are deleted and which words they have stand in tables of their own, and nothing is checked that only
-- functions write. Rows that are there are copied while writers wait: as long as it takes to read the deleted messages by their index.
--
-- The words of old messages come as those of new ones do, by `index_messages` from position 0: until then a search does not find them.
-- Instances of the release before search the same table, for the functions are common. An edit or a deletion by a function of theirs that is
-- still running is seen by the trigger.

-- Nearly all writers begin with this one.
lock table chats in exclusive mode;
alter table chats
    drop constraint if exists chats_chat_type_check,
    add column deleted_seq bigint not null default 0;
alter table messages drop constraint messages_deleted_are_empty;

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

insert into deletions (chat_id, seq) select chat_id, seq from messages where deleted_at is not null;
update chats set deleted_seq = d.seq from (select chat_id, max(seq) as seq from deletions group by chat_id) d where d.chat_id = id;
