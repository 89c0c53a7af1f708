"""What an operator does for an account from the server's own shell: a new password, ownership of the server."""

import secrets
from contextlib import closing, contextmanager

from argon2 import PasswordHasher

from store.connections import connect


class UnknownUser(ValueError):
    """There is no account of this name."""


def reset_password(url: str, username: str) -> str:
    """Give an account a new password, answer it, and end all of the account's sessions. Raises `UnknownUser`."""
    password = secrets.token_urlsafe(12)
    with _transaction(url) as cursor:
        user_id = _change(cursor, "update users set password_hash = %s", username, PasswordHasher().hash(password))
        cursor.execute(
            "update sessions set revoked_at = now_ms() where user_id = %s and revoked_at is null", (user_id,)
        )
    return password


def make_owner(url: str, username: str):
    """Let an account own the server, beside those that do. Raises `UnknownUser`."""
    with _transaction(url) as cursor:
        _change(cursor, "update users set is_owner = true", username)


def _change(cursor, change, username, *values):
    cursor.execute(f"{change} where lower(username) = lower(%s) returning id", (*values, username))
    row = cursor.fetchone()
    if row is None:
        raise UnknownUser(f"There is no account {username!r}.")
    return row[0]


@contextmanager
def _transaction(url):
    with closing(connect(url)) as connection, connection, connection.cursor() as cursor:
        yield cursor
