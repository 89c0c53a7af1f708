"""PostgreSQL: the pool of connections, calls with a deadline, group commit, the schema and how an older database gets there. Knows nothing of chats."""
