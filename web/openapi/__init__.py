"""The HTTP contract: shapes, operations, the document made of them, and the checks compiled from that document."""
