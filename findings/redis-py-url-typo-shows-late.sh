#!/usr/bin/env bash
# Guess: a misspelt option of a Redis URL is refused where the URL is read, in `Redis.from_url`, as a misspelt keyword
# of `Redis(...)` is. From redis-py's docstring of `ConnectionPool.from_url`, which says that options are cast to their
# types and handed to the pool's initialiser, and that a wrong value raises ValueError.
#
# What happens: names are not looked at. The pool keeps the unknown option for its connections, and the first command
# raises TypeError about `AbstractConnection.__init__()`. That is no `redis.RedisError`, so whatever retries or reports
# what Redis does wrong lets it through.
#
# For a server that starts without its Redis and connects in the background: a typo passes the start, and then ends the
# task that connects. Make one connection object at start, without connecting it, and turn its TypeError into a
# sentence that names the setting.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check redis==8.1.0

"$work/venv/bin/python" - <<'PYTHON'
import asyncio
import sys

import redis
from redis.asyncio import Redis

URL = "redis://127.0.0.1/0?socket_timout=5"  # socket_timeout is meant


async def outcome(client):
    try:
        await client.ping()
    except Exception as error:
        return error


def keyword():
    try:
        return Redis(socket_timout=5)
    except TypeError as error:
        return error


print("redis-py", redis.__version__)
as_keyword = keyword()
print(f"Redis(socket_timout=5): {as_keyword!r}")
client = Redis.from_url(URL)
print("Redis.from_url(...?socket_timout=5): returns a client")
error = asyncio.run(outcome(client))
print(f"its first command: {error!r}")
as_found = (
    isinstance(as_keyword, TypeError)
    and isinstance(error, TypeError)
    and "socket_timout" in str(error)
    and not isinstance(error, redis.RedisError)
)
print("AS FOUND: the typo shows at the first command" if as_found else "CHANGED")
sys.exit(not as_found)
PYTHON
