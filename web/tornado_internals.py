"""All that is leant on of Tornado's private names, for speed; docs/performance.md says what each is worth.

`tests/web/test_tornado_internals.py` fails on a release of Tornado that changes one of them. `requirements.txt` ends before such a release.
"""

from tornado.httputil import HTTPServerRequest, responses
from tornado.web import RequestHandler


class AnswerHeaders(dict):
    """An answer's headers, of which Tornado asks for the likes of `Content-Length`: the names that `str.title` makes."""

    __slots__ = ()

    def add(self, name: str, value: str):
        """One more of the same name."""
        self.setdefault(name.title(), []).append(value)

    def get_all(self):
        """`(name, value)` of every line."""
        return [(name, line) for name, value in self.items() for line in ((value,) if type(value) is str else value)]


class Handler(RequestHandler):
    """Tornado's, with headers that are not held against an expression one by one."""

    def first_headers(self) -> AnswerHeaders:
        """What every answer begins with."""
        raise NotImplementedError

    def clear(self):
        # Tornado's own formats the date anew, and then the headers one by one, which takes several times as long.
        self._headers = self.first_headers()  # type: ignore[assignment]
        self._write_buffer, self._status_code, self._reason = [], 200, responses[200]

    def set_header(self, name, value):
        """As Tornado's, which holds every value against an expression."""
        if type(value) is str and value.isprintable():
            self._headers[name.title()] = value
        else:
            super().set_header(name.title(), value)

    def run(self, arguments: list[str]):
        """The coroutine of the handler's whole work: to be made a task of, where Tornado's dispatch would wait for a turn of the loop."""
        return self._execute([], *arguments)  # type: ignore[arg-type]


class FormlessRequest(HTTPServerRequest):
    """Tornado's, that looks for no form in its body."""

    def _parse_body(self):
        pass
