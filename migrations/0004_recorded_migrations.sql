-- From here on each migration is recorded, and so is which functions the database has had. Before, a version stood for all migrations up to it.
create table schema_migrations (
    number     integer primary key,
    name       text not null,
    applied_at timestamptz not null default now()
);
insert into schema_migrations (number, name) values (2, '0002_muted'), (3, '0003_owner_and_invitations');

alter table parley add column functions text[] not null default '{}';
