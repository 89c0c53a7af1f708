-- What version 2 came to have over several commits: any part of it may be there already. The index of the first search is not made any more:
-- 0005 puts other tables in its place.

-- Three tables, which writers take in orders of their own; but nearly all begin with this one.
lock table chats in exclusive mode;

alter table users add column if not exists is_owner boolean not null default false;
-- The first account owns the server. Where accounts are older than this rule, it is the oldest one.
update users set is_owner = true
where id = (select id from users order by created_at, id limit 1) and not exists (select from users where is_owner);

create table if not exists invitations (
    id         uuid primary key default gen_random_uuid(),
    token      text not null unique,
    created_by uuid not null references users,
    op_id      uuid not null,
    max_uses   integer not null,
    uses       integer not null default 0,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    revoked_at timestamptz
);
create unique index if not exists invitations_op on invitations (created_by, op_id);
