#!/usr/bin/env bash
# Guess: in a Redis URL, `decode_responses=no` is false, and a database that is no number is an error. From redis-py's
# docstring of `ConnectionPool.from_url`: options are cast to their Python types, booleans may be written yes and no,
# what cannot be cast raises ValueError, and the path of the URL is the database.
#
# What happens: only the options in a table of the library's are cast. `decode_responses` is not in it, so "no" arrives
# as a string, which is true, and replies come decoded. `socket_keepalive`, which is in the table, is false for "no".
# And a path that is no number is dropped without a word: redis://host/cache is database 0.
#
# For a server that takes its URL from the environment: read the result, not the URL. Refuse a path that is not a
# number, and an option whose value is a string where a bool is meant. Otherwise two programs told to use "/cache" and
# "/queue" share database 0.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check redis==8.1.0

"$work/venv/bin/python" - <<'PYTHON'
import sys

import redis
from redis.asyncio import ConnectionPool

print("redis-py", redis.__version__)
# No server is needed: a pool and a connection object are made before anything is sent.
decoded = ConnectionPool.from_url("redis://localhost/0?decode_responses=no").get_encoder().decode(b"reply")
keepalive = ConnectionPool.from_url("redis://localhost/0?socket_keepalive=no").connection_kwargs["socket_keepalive"]
database = ConnectionPool.from_url("redis://localhost/cache").make_connection().db
try:
    ConnectionPool.from_url("redis://localhost?db=cache")
    option = "accepted"
except ValueError as error:
    option = f"ValueError: {error}"

print(f"decode_responses=no: a reply is {decoded!r}")
print(f"socket_keepalive=no: {keepalive}")
print(f"path /cache: database {database}")
print(f"option db=cache: {option}")
as_found = decoded == "reply" and keepalive is False and database == 0 and option.startswith("ValueError")
print("AS FOUND: 'no' is yes, and a named database is number 0" if as_found else "CHANGED")
sys.exit(not as_found)
PYTHON
