"""Who hears it: Redis, the chats watched here, and the sockets connected here. Knows no HTTP."""
