"""Instances and people, for the contracts that are held against a running node."""

from tests.chat.conftest import db, opened, world  # noqa: F401
from tests.realtime.conftest import connect, instance  # noqa: F401
