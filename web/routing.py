"""From a request to its handler at work: one table of paths, looked up at once, and a task that begins where it stands.

Tornado goes through two routers and tries the routes one after another, each with an expression of its own, and lets the loop begin with the
handler later: a tenth of what a message costs.
"""

import asyncio
import re
import sys
from functools import partial
from urllib.parse import unquote_to_bytes

from tornado.web import Application

from web.tornado_internals import Handler

# A task that need not wait is done at once, without a turn of the loop.
if sys.version_info >= (3, 12):
    _Task = partial(asyncio.Task, eager_start=True)
else:
    _Task = asyncio.Task


class Routes:
    """A table of `(path, handler)`. `{name}` in a path is one segment of it, handed to the handler's method; `{name:path}` is all the rest."""

    def __init__(self, table):
        self._exact = {path: (path, handler) for path, handler in table if "{" not in path}
        self._others = [(path, handler) for path, handler in table if "{" in path]
        # One expression for all of them: the last group that took part is the route's, as each one's own group closes last.
        self._pattern = re.compile("|".join(f"({_pattern(path)})" for path, _ in self._others) or "(?!)")
        self._place_of = {}  # group → (route, the groups of its arguments)
        group = 1
        for route in self._others:
            arguments = route[0].count("{")
            self._place_of[group] = route, range(group + 1, group + 1 + arguments)
            group += 1 + arguments

    def find(self, path: str):
        """`(path in the table, handler, arguments)` of a request's path, or None. Arguments are as sent, less their percent signs."""
        if (found := self._exact.get(path)) is not None:
            return *found, ()
        if (match := self._pattern.fullmatch(path)) is None:
            return None
        (route, handler), groups = self._place_of[match.lastindex]  # type: ignore[index]  # every route is a group, so one took part
        return route, handler, [_plain(match[group]) for group in groups]


def _pattern(path):
    return "".join(_part(part) for part in re.split(r"({\w+(?::path)?})", path))


def _part(part):
    if part.endswith(":path}"):
        return "(.+)"
    return "([^/]+)" if part.startswith("{") else re.escape(part)


def _plain(text):
    # A path that is not UTF-8 names nothing: 404 like any other, not 400.
    return unquote_to_bytes(text).decode("utf-8", "replace") if "%" in text else text


class Routed(Application):
    """A Tornado application of one table. Each handler is given the `route` that its request matched; `missing` serves what no route matches."""

    def __init__(self, table, missing: type[Handler], **settings):
        super().__init__(**settings)
        self._routes, self._missing = Routes(table), missing

    def find_handler(self, request, **more):
        """The delegate that takes the request's body and begins with its handler."""
        route, handler, arguments = self._routes.find(request.path) or ("unmatched", self._missing, ())
        return _Work(self, request, route, handler, arguments)


class _Work:
    """One request and its handler, to whoever has read it."""

    __slots__ = ("_application", "_request", "_route", "_handler", "_arguments")

    def __init__(self, *given):
        self._application, self._request, self._route, self._handler, self._arguments = given

    def data_received(self, body: bytes):
        """The body has been read; here in one piece, which is the request's already."""

    def finish(self):
        """The request is complete: begin with its handler."""
        handler = self._handler(self._application, self._request, route=self._route)
        # The loop itself holds the task weakly.
        self._request.task = _Task(handler.run(self._arguments), loop=asyncio.get_running_loop())
