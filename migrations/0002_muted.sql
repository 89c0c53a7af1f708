-- A participant may want no notifications of a chat.
alter table participants add column if not exists muted boolean not null default false;
