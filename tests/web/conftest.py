"""The handlers' instances and people, for the tests of what all handlers share."""

from tests.handlers.conftest import alice, bob, carol, serve, served  # noqa: F401
