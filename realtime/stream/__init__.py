"""The order of each chat's events on one instance, and their delivery to the clients that are connected to it."""
