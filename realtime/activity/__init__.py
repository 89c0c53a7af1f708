"""What can be watched of the events' way, and what breaks it on purpose."""
