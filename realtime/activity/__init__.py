"""The Activity page: the way of every event as it can be looked at, and the demo that breaks things on purpose."""
