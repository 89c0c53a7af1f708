"""`python send.py COUNT BYTES WHERE FIFO`: what send.c does, in Python: a loop around `socket.send`, and no server around it.

The sockets do not block, as those of a server do not; a full one ends it."""

import os
import socket
import sys

MOST = 64


def listening(where):
    if where.isdigit():
        return socket.create_server(("127.0.0.1", int(where)), backlog=4096)
    if os.path.exists(where):
        os.unlink(where)
    server = socket.socket(socket.AF_UNIX)
    server.bind(where)
    server.listen(4096)
    return server


def main(count, size, where, fifo):
    server, frames = listening(where), b"x" * size * MOST
    print("listening", flush=True)
    sockets = [server.accept()[0] for _ in range(count)]
    for each in sockets:
        each.setblocking(False)
        if where.isdigit():
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with open(fifo) as orders:
        for line in orders:
            send(sockets, frames[: size * int(line)])


def send(sockets, data):
    size = len(data)
    for each in sockets:
        if each.send(data) != size:
            raise SystemExit("a socket was full")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
