"""What is true: users, chats, messages, reads and the event log, in PostgreSQL. Knows neither Tornado nor Redis."""
