"""One HTTP request as the handlers see it: Tornado's class, filled from what the parser of `http_connection` has found."""

import asyncio
import re
import time
from collections.abc import Mapping
from functools import cached_property

from tornado.escape import parse_qs_bytes

from errors import Refused
from web.tornado_internals import FormlessRequest

# As RFC 3986 has it, less the comma, by which more than one would look like one.
HOST = re.compile(r"(?:[\w.~!$&'()*+;=\[\]:-]|%[0-9A-Fa-f]{2})*", re.ASCII)


class RequestHeaders(Mapping):
    """A request's headers by their names in any case. Of one that was sent twice, the values are joined by commas."""

    __slots__ = ("_values",)

    def __init__(self, values: dict[str, str]):
        self._values = values  # by lower-case names

    def __getitem__(self, name):
        return self._values[name.lower()]

    def get(self, name, default=None):
        return self._values.get(name.lower(), default)

    def __contains__(self, name):
        return name.lower() in self._values

    def __iter__(self):
        return iter(self._values)

    def __len__(self):
        return len(self._values)


class Request(FormlessRequest):
    """What Tornado's says, less what our handlers do not read: forms, and arguments that may come from anywhere."""

    headers: RequestHeaders  # type: ignore[assignment]  # a mapping, as handlers read them; not Tornado's class, which parses
    method: str
    uri: str
    body: bytes
    remote_ip: str
    protocol: str
    task: asyncio.Task  # of the handler; held here, since the loop holds tasks weakly

    def __init__(
        self, connection, method: str, target: str, version: str, values: dict[str, str], body: bytes, keep_alive: bool
    ):
        """Raises `Refused`: invalid_http, of another version, without a Host or with one that is none."""
        if version not in ("HTTP/1.1", "HTTP/1.0"):
            raise Refused("invalid_http")
        host = values.get("host")
        if host is None:
            if version != "HTTP/1.0":
                raise Refused("invalid_http", "The request names no host.", "Host")
            host = "127.0.0.1"
        elif not HOST.fullmatch(host):
            raise Refused("invalid_http", "The Host is none.", "Host")
        self.method, self.uri, self.version = method, target, version
        self.path, _, self.query = target.partition("?")
        self.host, self.host_name = host, host.lower().rpartition(":")[0] or host.lower()
        self.headers, self.body = RequestHeaders(values), body
        self.connection, self.remote_ip, self.protocol = connection, connection.remote_ip, "http"
        self.keep_alive = keep_alive
        self.arguments, self.body_arguments, self.files = {}, {}, {}
        self._began = time.time()

    @cached_property
    def query_arguments(self) -> dict[str, list[bytes]]:  # type: ignore[override]  # parsed when first read
        return parse_qs_bytes(self.query, keep_blank_values=True)

    def request_time(self) -> float:
        """Seconds since it was complete."""
        return time.time() - self._began
