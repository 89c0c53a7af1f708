"""The errors that a client gets: every code of the error shape, with its message. Anyone may import it; it imports nothing of ours.

`web.statuses` says which HTTP status answers each code.

ParleyError                   anything that the client gets in the error shape
├── Refused                   a rule forbids it; asking again changes nothing
└── Unavailable               PostgreSQL or this instance cannot answer now; the same request may work later
"""

CODES = {
    "invalid_http": "The request is not HTTP/1.1 as it should be.",
    "invalid_json": "The body is not JSON.",
    "invalid_value": "A value is missing, unknown or not as documented.",
    "not_signed_in": "Sign in first.",
    "wrong_credentials": "Username or password is wrong.",
    "wrong_password": "The current password is wrong.",
    "invitation_needed": "This server takes new accounts by invitation only.",
    "invitation_invalid": "This invitation has expired, was withdrawn, or has been used up.",
    "not_the_server_owner": "Only the server's owner may do this.",
    "xsrf_failed": "The XSRF token is missing or wrong, or the request comes from another site.",
    "not_the_sender": "Only its sender may do this to a message.",
    "not_the_owner": "Only the chat's owner may do this.",
    "not_found": "There is no such thing, or it is not yours to see.",
    "method_not_allowed": "This address does not take this method.",
    "username_taken": "This username is taken.",
    "direct_chat_is_fixed": "A direct chat cannot be renamed, joined or left.",
    "too_many_participants": "The chat would have too many participants.",
    "message_is_deleted": "A deleted message cannot be edited.",
    "body_too_large": "The request's body is too large.",
    "unsupported_media_type": "The body must be application/json.",
    "idempotency_key_reused": "This Idempotency-Key was used for another request.",
    "search_too_broad": "The search took too long. Look for more words, or in one chat.",
    "too_many_attempts": "Too many attempts. Try again later.",
    "too_fast": "Too many requests. Try again shortly.",
    "head_too_large": "The request's address and headers are too large.",
    "internal": "Something went wrong on our side. It was logged.",
    "method_unknown": "There is no such method.",
    "unavailable": "The service cannot answer now. Try again with the same Idempotency-Key.",
}


class ParleyError(Exception):
    """An answer in the error shape. `retry_after` is in seconds, `field` names the field at fault."""

    temporary = False

    def __init__(self, code: str, message: str | None = None, field: str | None = None, retry_after: int | None = None):
        self.code = code
        self.message = message or CODES[code]
        self.field = field
        self.retry_after = retry_after
        super().__init__(self.message)

    def body(self) -> dict:
        """The error shape: `{"error": {"code", "message", "field"}}`."""
        return {"error": {"code": self.code, "message": self.message, "field": self.field}}


class Refused(ParleyError):
    """A rule forbids it. Asking again changes nothing, except after `retry_after` where that is given."""


class Unavailable(ParleyError):
    """No answer now. A mutation may or may not have happened; repeating it with the same key is safe and finds out."""

    temporary = True

    def __init__(self, why: str):
        super().__init__("unavailable", retry_after=1)
        self.why = why  # for the log
