"""PostgreSQL: the pool of connections, calls with a deadline, group commit and the schema. Knows nothing of chats."""
