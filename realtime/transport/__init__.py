"""Bytes to sockets: one write for each socket and turn of the loop, broadcasts to many sockets, bounded memory for slow readers."""
