"""Who gets an event and when: Redis, the chats that are followed on this instance, and the clients connected to it. Knows no HTTP."""
