"""Who is online on any instance and who is typing, and which clients are told."""
