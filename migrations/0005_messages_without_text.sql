-- A message may come to have no text and not be deleted. Rows that are there keep both rules, so nothing is read under this lock.
--
-- No function writes such a message yet: older code takes an empty text for a deleted message.
alter table messages
    drop constraint messages_check,
    add constraint messages_deleted_are_empty check (deleted_at is null or content = '') not valid;
