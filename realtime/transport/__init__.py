"""Bytes to sockets: one write for each socket and loop turn, the same bytes to many, bounded memory for slow readers."""
