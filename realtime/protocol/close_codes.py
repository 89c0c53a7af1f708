"""Why the server closes a socket. docs/protocol.md says what a client does about each code."""

from enum import IntEnum


class Close(IntEnum):
    """1xxx: standard codes, after which the client comes back. 44xx: the protocol's own."""

    RESTART = 1012
    TRY_AGAIN = 1013
    BAD_FRAME = 4400
    SIGNED_OUT = 4401
    FORBIDDEN = 4403
    NO_HELLO = 4408
    TOO_MANY_SOCKETS = 4409
    TOO_FAST = 4429
