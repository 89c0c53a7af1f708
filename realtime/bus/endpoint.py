"""Where Redis is and how one signs in there: what its URL says, as redis-py reads it.

redis-py's own connections are not used for talking: they wake a task and run a coroutine for each reply (docs/performance.md). What it knows
about URLs, credentials and TLS is.
"""

import asyncio
import socket
from typing import Any

from redis.asyncio import ConnectionPool, SSLConnection, UnixDomainSocketConnection
from redis.credentials import UsernamePasswordCredentialProvider
from redis.exceptions import AuthenticationError, RedisError, ResponseError

from realtime.bus.receiver import RedisConnection


class Endpoint:
    """The Redis server of one URL: `redis://`, `rediss://` or `unix://`, with redis-py's options in its query.

    Without `verify_tls`, any certificate is taken. Raises `ValueError` where the URL is none, or has an option that redis-py does not know.
    """

    def __init__(self, url: str, *, verify_tls: bool = True):
        # Of one connection, which is never made, redis-py tells what the options come to. Naming itself to Redis would read package metadata.
        pool = ConnectionPool.from_url(url, driver_info=None)
        options = dict(pool.connection_kwargs)
        if issubclass(pool.connection_class, SSLConnection) and not verify_tls:
            options |= {"ssl_cert_reqs": "none", "ssl_check_hostname": False}
        self._tls = None
        self._described: Any
        try:
            self._described = pool.connection_class(**options)
            if issubclass(pool.connection_class, SSLConnection):
                self._tls = self._described.ssl_context.get()
        except (TypeError, RedisError, OSError) as error:
            raise ValueError(f"REDIS_URL has an option that cannot be used: {error}") from None

    async def connect(self, connection: RedisConnection):
        """Have `connection` connected and signed in, in the URL's database.

        Raises `OSError`, or `RedisError` where the server refuses.
        """
        await self._open(connection)
        try:
            await self._sign_in(connection)
        except BaseException:  # also where it takes too long, and is cancelled
            connection.close()
            raise

    async def _open(self, connection):
        loop, there = asyncio.get_running_loop(), self._described
        if isinstance(there, UnixDomainSocketConnection):
            await loop.create_unix_connection(lambda: connection, there.path)
            return
        transport, _ = await loop.create_connection(lambda: connection, there.host, there.port, ssl=self._tls)
        ours = transport.get_extra_info("socket")
        try:
            # Of a dead network, or a machine that is gone, nothing else would tell a connection that only listens.
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in there.socket_keepalive_options.items():
                ours.setsockopt(socket.IPPROTO_TCP, option, value)
        except BaseException:
            transport.abort()
            raise

    async def _sign_in(self, connection):
        there = self._described
        if there.username or there.password:
            credentials = UsernamePasswordCredentialProvider(there.username, there.password).get_credentials()
            (answer,) = await connection.ask(("AUTH", *credentials))
            if isinstance(answer, ResponseError) and "wrong number of arguments" in str(answer):
                (answer,) = await connection.ask(("AUTH", credentials[-1]))  # before Redis 6 there are no usernames
            if isinstance(answer, Exception):
                raise AuthenticationError(str(answer))
        commands: list[tuple] = []
        if there.client_name:
            commands.append(("CLIENT", "SETNAME", there.client_name))
        if there.db:
            commands.append(("SELECT", there.db))
        # A frozen Redis is connected to like any other; only an answer tells that it works.
        for answer in await connection.ask(*commands, ("PING",)):
            if isinstance(answer, Exception):
                raise answer
