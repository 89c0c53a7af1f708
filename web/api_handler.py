"""The way of an API request: origin, session, XSRF, pace, path, query and body, before an operation's own lines run."""

import asyncio
import uuid
from urllib.parse import parse_qsl

from tornado.web import HTTPError

from chat import operations
from chat.accounts import Login
from chat.events import Outcome, digest
from errors import Refused
from web.base_handler import METHODS, SAFE_METHODS, Base
from web.openapi.operation import Access, Operation
from web.openapi.request_validator import canonical_uuid

FEW_SOCKETS = 32  # that are told before the answer leaves: it takes less time than the answer does. Of more, it would wait for the last one


class ApiHandler(Base):
    """Parent of the operations' handlers.

    When an operation runs, `self.body` and `self.query` are as the document demands, path ids are canonical,
    `self.user_id` is who asks, and `self.op` the mutation's id: the client's Idempotency-Key, or a new one.
    """

    noun = ""  # the operations' heading in the document
    default_headers = {**Base.default_headers, "Cache-Control": "no-store"}
    body = None
    op: str | None = None
    given_op: str | None = None  # the Idempotency-Key, if the client sent one

    def compute_etag(self):
        return None  # no-store: nobody could ask with one

    @property
    def db(self):
        return self.services.db

    @property
    def limits(self):
        return self.services.settings

    @property
    def max_body_bytes(self) -> int:
        return self.limits.max_body_bytes

    @property
    def login(self) -> Login:
        """The session of who asks, for operations that demand one. Raises `Refused`: not_signed_in."""
        if self.session is None:
            raise Refused("not_signed_in")
        return self.session

    @property
    def user_id(self) -> str:
        return self.login.user_id

    def head(self, *path):
        return self.get(*path)

    def allowed_methods(self):
        declared = [method for method in METHODS if hasattr(getattr(self, method.lower()), "operation")]
        return [*declared, *(["HEAD"] if "GET" in declared else []), "OPTIONS"]

    async def prepare(self):
        if self.request.method == "OPTIONS":
            return
        declared = self._declared()
        changes = self.request.method not in SAFE_METHODS
        if changes:
            if len(self.request.body) > self.max_body_bytes:
                raise Refused("body_too_large")
            self.refuse_other_sites()
        await self._admit(declared, changes)
        if declared.mutation:
            self._name_the_operation()
            self._keep_pace()
        self.path_args = [self._id(text) for text in self.path_args]
        validator = self.settings["contract"].validator(declared)
        self.query = validator.query(self._query_pairs())
        if declared.body:
            self.body = validator.body(self._json_text())
        if self.given_op and self.session and not declared.logged:
            what = digest(declared.id, self.path_args, validator.without_secrets(self.body))
            await operations.claim(self.db, self.user_id, self.given_op, what)

    def _declared(self) -> Operation:
        method = "get" if self.request.method == "HEAD" else self.request.method.lower()
        declared = getattr(getattr(self, method), "operation", None)
        if declared is None:
            raise HTTPError(405)
        return declared

    async def _admit(self, declared, changes):
        if declared.access is Access.PUBLIC:
            return
        credentials = self.credentials
        if credentials.token is None or declared.access is not Access.TOKEN and await self.find_session() is None:
            raise Refused("not_signed_in")
        if changes and credentials.by_cookie:
            self.check_xsrf()
        if declared.access is Access.OWNER and not self.login.owner:
            await self.find_session(fresh=True)  # they may have become an owner since the session was cached
            if not self.login.owner:
                raise Refused("not_the_server_owner")

    def _name_the_operation(self):
        key = self.request.headers.get("Idempotency-Key")
        if key is not None:
            self.given_op = canonical_uuid(key)
            if self.given_op is None:
                raise Refused("invalid_value", "Idempotency-Key must be a UUID.", "Idempotency-Key")
        self.op = self.given_op or str(uuid.uuid4())

    def _keep_pace(self):
        wait = self.session and self.services.rate_limiter.take(self.user_id)
        if wait:
            raise Refused("too_fast", retry_after=wait)

    def _id(self, text):
        canonical = canonical_uuid(text)
        if canonical is None:
            raise Refused("not_found")
        return canonical

    def _query_pairs(self):
        try:
            return parse_qsl(self.request.query, keep_blank_values=True, errors="strict")
        except UnicodeDecodeError:
            raise Refused("invalid_value", "The query string is not UTF-8.") from None

    def _json_text(self) -> bytes:
        if self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
            raise Refused("unsupported_media_type", field="Content-Type")
        return self.request.body

    # Answers

    def nothing(self):
        """204."""
        self.set_status(204)
        self.finish()

    async def committed(self, outcome: Outcome, status: int = 200):
        """Tell everybody what a mutation did, then whoever asked for it."""
        node = self.services.node
        if node.event_stream.trace is not None:
            node.event_stream.trace.accepted(outcome.events, self.request.request_time())
        if 0 < node.publish(outcome.events) <= FEW_SOCKETS:
            await asyncio.sleep(0)  # after which they have it
        if outcome.seq is not None:
            self.set_header("Parley-Seq", str(outcome.seq))
        if status == 204:
            self.nothing()
        elif outcome.answer is None:
            raise ValueError("an answer with a body has none")
        else:
            self.answer_json(outcome.answer, status)
