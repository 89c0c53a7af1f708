"""One operation of the API, declared on the method that serves it: what it takes, what it answers, what it refuses."""

import inspect
from dataclasses import dataclass
from enum import Enum

SAFE_METHODS = ("get", "head", "options")


class Access(Enum):
    PUBLIC = "anybody"
    SIGNED_IN = "a live session"
    OWNER = "a live session of the server's owner"
    TOKEN = "a token, also of an ended session"


@dataclass(frozen=True)
class Operation:
    """`answers`: status → name of a shape, or None for an empty body.

    `errors`: the codes that it may refuse with, beyond those that follow from the rest.
    """

    id: str
    summary: str
    answers: dict[int, str | None]
    body: str | None = None  # name of a shape
    query: tuple[str, ...] = ()  # names of `shapes.PARAMETERS`
    errors: tuple[str, ...] = ()
    access: Access = Access.SIGNED_IN
    mutation: bool = False  # takes an Idempotency-Key
    logged: bool = False  # leaves an event; answers with Parley-Seq
    media: str = "application/json"  # of the answers
    description: str = ""

    def refusals(self, method: str, path: str) -> list[str]:
        """Every error code that this operation can answer with."""
        codes = ["invalid_value", "invalid_http", "head_too_large", "internal"]
        if self.access is not Access.PUBLIC:
            codes += ["not_signed_in", "unavailable"]
        if method not in SAFE_METHODS:
            codes += ["body_too_large", "xsrf_failed"]
        if self.body:
            codes += ["invalid_json", "unsupported_media_type"]
        if self.mutation and self.access in (Access.SIGNED_IN, Access.OWNER):
            codes.append("too_fast")
        if self.access is Access.OWNER:
            codes.append("not_the_server_owner")
        if self.mutation and self.access in (Access.SIGNED_IN, Access.OWNER):
            codes.append("idempotency_key_reused")
        if "{" in path:
            codes.append("not_found")
        return [*dict.fromkeys([*codes, *self.errors])]


def operation(id: str, summary: str, **declared):
    """Declare a handler's method as an operation; its docstring is the description."""

    def declare(method):
        method.operation = Operation(id, summary, description=inspect.cleandoc(method.__doc__ or ""), **declared)
        return method

    return declare
