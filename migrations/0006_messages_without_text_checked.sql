-- Reads every message, under a lock that lets everybody go on: it is a migration of its own so that the lock of the one before is given back.
alter table messages validate constraint messages_deleted_are_empty;
