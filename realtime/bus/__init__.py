"""Redis: the two connections of an instance, the names of its channels, envelopes, and what arrives in them."""
