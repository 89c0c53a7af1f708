"""PostgreSQL URLs as libpq takes them, and the one connection of a command. An instance's pool is not here."""

import psycopg2


def connect(url: str):
    """A connection of its own, for commands. Raises psycopg2's errors."""
    return psycopg2.connect(libpq_url(url), connect_timeout=10, application_name="parley migrate")


def libpq_url(url: str) -> str:
    """libpq knows two spellings of the scheme; some platforms hand out a third."""
    return "postgresql://" + url.removeprefix("postgres://") if url.startswith("postgres://") else url
