"""What is true: users, chats, messages, reads and the event log. Knows neither Tornado nor Redis."""
