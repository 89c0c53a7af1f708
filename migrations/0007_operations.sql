-- The keys of operations that leave no event. The release before writes none, which is as if its clients had brought no key.
create table operations (
    actor_id  uuid not null,
    op_id     uuid not null,
    op_digest bigint not null,
    at        timestamptz not null,
    primary key (actor_id, op_id)
);
create index operations_at on operations using brin (at);
