"""What is owed after a commit: consumers of the event log, and who does their work."""
