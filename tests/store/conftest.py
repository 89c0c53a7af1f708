"""The database and the people of the tests of `chat/`."""

from tests.chat.conftest import db, opened, together, world  # noqa: F401
