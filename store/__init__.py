"""PostgreSQL: connections, and the schema that they find. What the rules are about stands in `chat/`."""
