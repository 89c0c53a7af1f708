"""A TCP proxy before Valkey that can hurt one kind of connection and leave the other alone."""

import asyncio
import ssl
from urllib.parse import urlsplit, urlunsplit


class Proxy:
    """Passes bytes on to the server of `url`; its own is `proxy.url`.

    A connection is a `subscriber` once it has said SUBSCRIBE and a `publisher` until then.
    """

    def __init__(self, url: str):
        self._server_address = urlsplit(url).hostname, urlsplit(url).port
        self._parts = urlsplit(url)
        self._connections = set()
        self._silent = set()
        self._server = None
        self.opened = 0
        self.sent = []  # what all clients sent, read by read

    async def start(self, certificate=None, private_key=None):
        """Listen; with a certificate, for TLS."""
        tls = None
        if certificate:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(certificate, private_key)
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", 0, ssl=tls)
        port = self._server.sockets[0].getsockname()[1]
        self.url = urlunsplit(self._parts._replace(scheme="rediss" if tls else "redis", netloc=f"127.0.0.1:{port}"))
        return self

    async def stop(self):
        self._server.close()
        self.cut("publisher")
        self.cut("subscriber")
        await asyncio.gather(*(connection.task for connection in list(self._connections)), return_exceptions=True)

    def silence(self, kind):
        """The connections of this kind, those to come included, stay and carry nothing any more."""
        self._silent.add(kind)

    def silence_present(self, kind):
        """The present connections of this kind stay and carry nothing any more."""
        for connection in self._connections:
            connection.is_silent |= connection.kind == kind

    def heal(self):
        """New connections are fine again; silent ones stay silent."""
        self._silent.clear()

    def cut(self, kind):
        """Close the present connections of this kind."""
        for connection in list(self._connections):
            if connection.kind == kind:
                connection.task.cancel()

    def count(self, kind) -> int:
        return sum(connection.kind == kind for connection in self._connections)

    async def _pass(self, reader, writer):
        self.opened += 1
        connection, there = Passing(), (None, None)
        self._connections.add(connection)
        try:
            there = await asyncio.open_connection(*self._server_address)
            await asyncio.gather(
                self._copy(connection, reader, there[1], True), self._copy(connection, there[0], writer, False)
            )
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            self._connections.discard(connection)
            for end in (writer, there[1]):
                if end is not None:
                    end.close()

    async def _copy(self, connection, reader, writer, is_from_client):
        while data := await reader.read(65_536):
            if is_from_client:
                self.sent.append(data)
                if b"SUBSCRIBE" in data:
                    connection.kind = "subscriber"
            if connection.is_silent or connection.kind in self._silent:
                connection.is_silent = True
                continue
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError


class Passing:
    def __init__(self):
        self.kind = "publisher"
        self.is_silent = False
        self.task = asyncio.current_task()
