"""Every setting of a Parley process, once: name, default, help. The environment overrides the default.

Read only by `server.py` and `local/`; the rest of the code is handed the values that it needs.
`docs/settings.md` lists the same rows and a test holds the two together.
"""

import os
from dataclasses import dataclass
from types import SimpleNamespace


@dataclass(frozen=True)
class Setting:
    """One row: `kind` turns the environment's text into the value (`int`, `float`, `str` or `bool`).

    Numbers are above `above`; a text is one of `choices`, where there are any.
    """

    name: str
    default: object
    help: str
    kind: type = str
    above: int = 0
    choices: tuple = ()


class SettingError(ValueError):
    """A setting's text is not of its kind, or a required setting is missing; the message says what to do."""


KIB = 1024

# fmt: off
SETTINGS = (
    # Services
    Setting("DATABASE_URL", "", "PostgreSQL to use, `postgresql://user:password@host:port/name`. Required."),
    Setting("REDIS_URL", "redis://127.0.0.1:6379/0", "Redis or Valkey to use; `rediss://` for TLS, `unix://` for a socket."),
    Setting("REDIS_TLS_VERIFY", True, "Check the certificate of a `rediss://` server. Heroku's self-signed ones need `false`.", bool),
    # Listening
    Setting("PORT", 8000, "TCP port to listen on, unless `LISTEN` is given.", int),
    Setting("HOST", "", "Address to bind `PORT` to; empty means all."),
    Setting("LISTEN", "", "`unix:/path` to listen on a unix socket instead of TCP, as behind nginx on one machine."),
    Setting("WEB_CONCURRENCY", 1, "Processes that share `PORT`; each is an instance of its own.", int),
    Setting("IDLE_CONNECTION_SECONDS", 300.0, "An HTTP connection that brings no whole request for so long is closed. More than the proxy before it waits.", float),
    Setting("INSTANCE_NAME", "", "Name of this instance in logs, metrics and events; `DYNO` or `web.1` where it is empty."),
    Setting("TRUST_PROXY", True, "Believe `X-Forwarded-For` and `X-Forwarded-Proto`. Turn off where clients connect directly.", bool),
    # Accounts
    Setting("SIGN_UP", "invited", "Who may sign up after the first account, which owns the server: `invited` or `open` (anybody).", choices=("invited", "open")),
    Setting("INVITATION_DAYS", 14, "Longest time that an invitation is valid, in days.", int),
    Setting("INVITATION_USES", 50, "Most accounts that one invitation creates.", int),
    Setting("MIN_PASSWORD_CHARS", 8, "Shortest password that may be chosen.", int),
    Setting("SESSION_DAYS", 30, "Days until a session or token that is not used ends.", int),
    # Limits
    Setting("MAX_BODY_BYTES", 64 * KIB, "Largest HTTP request body.", int),
    Setting("MAX_FRAME_BYTES", 32 * KIB, "Largest WebSocket message from a client after `hello`.", int),
    Setting("MAX_MESSAGE_CHARS", 8000, "Longest message.", int),
    Setting("MAX_NAME_CHARS", 80, "Longest username, display name and chat name.", int),
    Setting("MAX_DESCRIPTION_CHARS", 1000, "Longest chat description.", int),
    Setting("MAX_PARTICIPANTS", 10000, "Most participants of one chat.", int),
    Setting("MAX_SEARCH_CHARS", 200, "Longest text to search for.", int),
    Setting("MAX_SEARCH_ITEMS", 50, "Most messages on one page of a search.", int),
    Setting("SEARCHES_AT_ONCE", 2, "Searches that one instance runs at once; more wait. Keep it below `DATABASE_POOL`: the rest is for sending.", int),
    Setting("MAX_SOCKETS_PER_USER", 50, "Most WebSockets of one user on one instance; one more is closed with 4409.", int),
    Setting("FRAMES_PER_SECOND", 20, "Client frames a second that one socket may keep up; beyond a burst of twice as many it is closed with 4429.", int),
    Setting("MUTATIONS_PER_SECOND", 100, "Mutations a second that one user may keep up on one instance; beyond a burst of twice as many: 429.", int),
    Setting("SIGN_IN_ATTEMPTS_PER_ACCOUNT", 10, "Failed sign-ins of one account within `SIGN_IN_WINDOW_SECONDS`, over all instances.", int),
    Setting("SIGN_IN_ATTEMPTS_PER_ADDRESS", 100, "Failed sign-ins and new accounts of one address within `SIGN_IN_WINDOW_SECONDS`, over all instances.", int),
    Setting("SIGN_IN_WINDOW_SECONDS", 300, "Window in which sign-in attempts are counted.", int),
    # Delivery
    Setting("HEAD_CHECK_SECONDS", 2.0, "How often an instance compares its positions with PostgreSQL (± 20 %).", float),
    Setting("HEAD_CHECK_DEGRADED_SECONDS", 0.5, "The same while Redis is down or its canary is missing.", float),
    Setting("CANARY_SECONDS", 1.0, "How often an instance publishes a canary that it must hear itself.", float),
    Setting("CANARY_TIMEOUT_SECONDS", 3.0, "A canary not heard for so long means that Redis is silent: the subscriber is rebuilt.", float),
    Setting("REPLAY_PAGE", 100, "Events of one chat in one page of a replay.", int),
    Setting("REPLAY_LIMIT", 1000, "A client that misses more events of a chat than this gets a `reset` instead.", int),
    Setting("UNREAD_PUBLISH_LIMIT", 50, "Chats with at most so many participants publish every participant's unread count; in larger ones each instance works out those of its own sockets.", int),
    Setting("SOCKET_BUFFER_BYTES", 256 * KIB, "Unsent bytes of one socket beyond which nothing is queued for it.", int),
    Setting("SOCKET_STALL_SECONDS", 30.0, "A socket that takes no byte for so long is closed with 1013.", float),
    Setting("HELLO_SECONDS", 5.0, "A socket that has not said `hello` by then is closed with 4408.", float),
    Setting("PING_SECONDS", 20.0, "How often the server pings each socket.", float),
    Setting("PRESENCE_PARTICIPANTS", 100, "Largest chat whose people see of each other who is online; `0` turns presence off.", int, above=-1),
    Setting("PRESENCE_BEAT_SECONDS", 5.0, "How often an instance tells the others that its users are still there; silent for three times as long, it is taken for dead.", float),
    Setting("PRESENCE_GRACE_SECONDS", 10.0, "How long a user without a socket still counts as online.", float),
    Setting("IO_URING", True, "Send what many sockets get alike with one system call, where Linux has io_uring and lets this process use it.", bool),
    Setting("CHANNEL_SCOPE", "all", "Which events an instance hears: `all`, or with `chat` only those of chats that one of its sockets is in, each chat on channels of its own (`messageAdded.<chatId>`). The same for all instances; see operations.md.", choices=("all", "chat")),
    Setting("DRAIN_SECONDS", 20.0, "Longest time from SIGTERM until the process ends; must be below the platform's kill (Heroku: 30).", float),
    Setting("ACTIVITY_VIEWERS", 20, "Most people who watch the Activity page through one instance; one more is closed with 4409.", int),
    # Work that is owed after a commit
    Setting("WORK_DELAY_SECONDS", 0.2, "How long an instance waits after a commit for others whose work goes with it, such as putting messages where a search finds them.", float),
    Setting("WORK_SWEEP_SECONDS", 5.0, "How often the instances look for work that was missed (± 20 %).", float),
    Setting("WORK_LEASE_SECONDS", 30.0, "How long an instance has a chat's work for itself; after it, another may do it. A quarter of it, in which one call must be done, should be longer than `DATABASE_SECONDS`.", float),
    Setting("WORK_RETRY_SECONDS", 300.0, "Longest pause before work that failed is tried again; the first is a second, and each is twice the one before.", float),
    Setting("WORK_CHATS", 100, "Chats whose work is done together.", int),
    Setting("WORK_EVENTS", 2000, "Events of all those chats whose work is done together.", int),
    Setting("WORKERS_AT_ONCE", 1, "Consumers that work at once in one instance, each on a PostgreSQL connection besides `DATABASE_POOL`; more wait.", int),
    # Demonstration
    Setting("DEMO", False, "Everybody may open the Activity page and break things there. `make run` turns it on; never on a server that people rely on.", bool),
    # Database
    Setting("DATABASE_POOL", 8, "PostgreSQL connections of one instance.", int),
    Setting("DATABASE_SECONDS", 5.0, "Longest time of one statement (`statement_timeout`).", float),
    Setting("LOCK_SECONDS", 2.0, "Longest wait for a lock in PostgreSQL (`lock_timeout`).", float),
    Setting("KEEP_EVENTS_DAYS", 30, "Days that the event log keeps; a client away for longer gets a `reset`.", int, above=-1),
    # Logging
    Setting("LOG_LEVEL", "INFO", "`DEBUG`, `INFO`, `WARNING` or `ERROR`."),
)
# fmt: on


def load(environ=None) -> SimpleNamespace:
    """The settings by their names in lower case: `load().max_body_bytes`.

    Raises `SettingError` when a text is not of its setting's kind.
    """
    environ = os.environ if environ is None else environ
    return SimpleNamespace(**{row.name.lower(): _value(row, environ.get(row.name)) for row in SETTINGS})


def _value(row: Setting, text: str | None):
    if text is None or text == "":
        return row.default
    if row.kind is bool:
        if text.lower() in ("1", "true", "yes", "on"):
            return True
        if text.lower() in ("0", "false", "no", "off"):
            return False
        raise SettingError(f"{row.name} must be true or false, not {text!r}")
    if row.kind is str:
        if row.choices and text not in row.choices:
            raise SettingError(f"{row.name} must be {' or '.join(row.choices)}, not {text!r}")
        return text
    try:
        number = row.kind(text)
    except ValueError:
        number = row.above
    if not row.above < number < float("inf"):
        raise SettingError(
            f"{row.name} must be a {'whole ' if row.kind is int else ''}number above {row.above}, not {text!r}"
        )
    return number
