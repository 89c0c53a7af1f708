"""Publishing as another instance does: everything that one operation publishes in one write."""

import socket


class Bus:
    """A connection to Valkey: `publish([(channel, payload), …])`."""

    def __init__(self, port: int):
        self._port = port

    def __enter__(self):
        self._socket = socket.create_connection(("127.0.0.1", self._port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._reader = self._socket.makefile("rb")
        return self

    def __exit__(self, *error):
        self._reader.close()
        self._socket.close()

    def publish(self, batch: list[tuple[str, bytes]]):
        """Returns once Valkey has taken all of it."""
        self._socket.sendall(b"".join(_command(b"PUBLISH", channel.encode(), payload) for channel, payload in batch))
        for _ in batch:
            answer = self._reader.readline()
            if not answer.startswith(b":"):
                raise ConnectionError(f"Valkey answered {answer!r}")


def _command(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
