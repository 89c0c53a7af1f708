"""The database's schema: what this release expects of it, and how an older database gets there.

Owns the reading of `schema.sql` (a fresh database) and `migrations/` (an older one), and what the table `parley` says about both. How to write
a migration, and what instances of the release before rely on meanwhile: `docs/operations.md`, "Writing a migration".
"""

import hashlib
import logging
import re
import time
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psycopg2
from psycopg2 import errors, sql

from store.connections import connect

ROOT = Path(__file__).parent.parent

# The line of schema.sql below which everything is made anew by each `migrate`.
FUNCTIONS = "\n-- Functions and their types.\n"

# What the database says of its schema; one row. Whole, because an older release's table has fewer columns.
STATE = "select to_jsonb(parley) - 'token_key' as state from parley"
VERSIONS = {"schema_version", "compatible_from"}  # which every release's has

# All releases' `migrate` take this one, so that two never run at once.
LOCK = 0x5061726C6579  # "Parley"
PATIENCE = 300.0  # seconds to wait for another `migrate`
TRIES = 40  # of one migration, where a table's lock is not had
PAUSE = 0.5  # seconds between two tries, in which those who waited behind us go on
# Below `deadlock_timeout` and the instances' own `lock_timeout`: where a writer waits for us while we wait for it, it is we who give way.
LOCK_TIMEOUT = "500ms"

ABSENT = "The database has no schema yet. Run: python server.py migrate"
FOREIGN = "The database holds something else under the name `parley`. Use another database."
OCCUPIED = "The database holds something else: {}. Use another database."
OLDER = "The database's schema is older than this code. Run: python server.py migrate"
NEWER = "The database's schema is newer than this code. Deploy the release that migrated it."
BUSY = "Another migrate has been running for {:.0f} s. Wait for it, or look for who holds an advisory lock in pg_locks."
LOCKED = "{} did not get its locks in {} tries; some transaction holds them. Nothing of it is left. End that transaction (pg_stat_activity) and migrate again."
FAILED = "{} failed, and nothing of it is left: {}"

log = logging.getLogger("parley.migrations")


class UnknownSchema(Exception):
    """The database's schema is not one that this code can run on; the message says what to do."""


class MigrationFailed(Exception):
    """The database is as the last migration before left it; the message says which one failed, and why."""


@dataclass(frozen=True)
class Migration:
    """One file of `migrations/`."""

    number: int
    name: str
    sql: str


@dataclass(frozen=True)
class Schema:
    """What one release expects of its database."""

    tables: str  # SQL that makes them where there are none
    functions: str  # SQL that makes functions and their types, also where there are older ones
    migrations: tuple[Migration, ...]  # by number

    @classmethod
    def read(cls, root: Path) -> "Schema":
        """That of the release whose files are in this folder. Raises `ValueError` where a migration's name is wrong or its number taken."""
        tables, mark, functions = (root / "schema.sql").read_text(encoding="utf-8").partition(FUNCTIONS)
        if not mark:
            raise ValueError(f"schema.sql has no line {FUNCTIONS.strip()!r}")
        migrations: list[Migration] = []
        for path in sorted((root / "migrations").glob("*.sql")):
            if not re.fullmatch(r"\d{4}_[a-z0-9_]+", path.stem):
                raise ValueError(f"{path.name} is not called like 0007_what_it_does.sql")
            if migrations and migrations[-1].number == int(path.stem[:4]):
                raise ValueError(f"{path.name} has the number of {migrations[-1].name}.sql")
            migrations.append(Migration(int(path.stem[:4]), path.stem, path.read_text(encoding="utf-8")))
        return cls(tables, functions, tuple(migrations))

    @property
    def version(self) -> int:
        return self.migrations[-1].number

    @property
    def digest(self) -> str:
        """Names the functions by what they are. Those of a database may be others while its tables are of the same version."""
        return hashlib.sha256(self.functions.encode()).hexdigest()[:16]

    def check(self, state: dict | None):
        """Raises `UnknownSchema` unless this code can run on a database that says this of itself (`STATE`; None where it says nothing)."""
        if state is None:
            raise UnknownSchema(ABSENT)
        if not state.keys() >= VERSIONS:
            raise UnknownSchema(FOREIGN)
        if state["compatible_from"] > self.version:
            raise UnknownSchema(NEWER)
        # Functions that have been there are enough: those that took their place serve this release too.
        if state["schema_version"] < self.version or self.digest not in state.get("functions", ()):
            raise UnknownSchema(OLDER)


@cache
def current() -> Schema:
    """This release's. Read once: the files may be the next release's while this one still runs."""
    return Schema.read(ROOT)


def migrate(
    url: str, schema: Schema | None = None, *, patience: float = PATIENCE, tries: int = TRIES, pause: float = PAUSE
) -> int:
    """Bring a database to the schema and return its version. As often as you like, from as many processes as you like, while instances write.

    Each step is a transaction of its own under one advisory lock: a fresh database in one step, an older one by a step for each migration that it
    has not got, and a last one for the functions. A newer database is left as it is, so that going back to this release is a deploy like others.
    Raises `UnknownSchema` where this code cannot run on it or it is somebody else's, `MigrationFailed`, and psycopg2's errors where there is none.
    """
    schema = schema or current()
    with closing(connect(url)) as connection:
        while (version := _step(connection, schema, patience, tries, pause)) is None:
            pass
    return version


def _step(connection, schema, patience, tries, pause) -> int | None:
    """Do what comes next; the version where nothing more does. Where a lock is not had, give way and try again."""
    for tries_left in reversed(range(tries)):
        name = "The migration"
        try:
            with connection, connection.cursor() as cursor:
                _take_turn(cursor, patience)
                applied = _applied(cursor, schema.version)
                if applied is None:
                    name = "schema.sql"
                    _create(cursor, schema)
                    return schema.version
                if (newest := max(applied, default=0)) > schema.version:
                    log.info("the schema is newer than this code, which can run on it")
                    return newest
                missing = [migration for migration in schema.migrations if migration.number not in applied]
                if not missing:
                    name = "Making the functions"
                    _make_functions(cursor, schema.functions)
                    _finish(cursor, schema)
                    return schema.version
                name = missing[0].name
                cursor.execute(missing[0].sql)
                _record(cursor, missing[0])
            log.info("%s is applied", name)
            return None
        except (errors.LockNotAvailable, errors.DeadlockDetected):
            if not tries_left:
                raise MigrationFailed(LOCKED.format(name, tries)) from None
            time.sleep(pause)
        except psycopg2.Error as error:
            if error.diag.message_primary is None:  # not the statement's fault: the connection is gone
                raise
            raise MigrationFailed(FAILED.format(name, error.diag.message_primary)) from error
    raise AssertionError("the last try answers or raises")


def _take_turn(cursor, patience):
    cursor.execute("set local statement_timeout = 0")  # a role's own is for instances
    cursor.execute("set local idle_in_transaction_session_timeout = 0")
    cursor.execute("select set_config('lock_timeout', %s, true)", (f"{int(patience * 1000)}ms",))
    try:
        cursor.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
    except errors.LockNotAvailable:
        raise MigrationFailed(BUSY.format(patience)) from None
    cursor.execute("select set_config('lock_timeout', %s, true)", (LOCK_TIMEOUT,))


def _applied(cursor, version) -> set[int] | None:
    """Numbers of the migrations that the database has; None where it has no schema. Raises `UnknownSchema` where this version cannot run on it."""
    cursor.execute("select to_regclass('parley') is not null, to_regclass('schema_migrations') is not null")
    exists, records = cursor.fetchone()
    if not exists:
        return None
    cursor.execute(STATE)
    state = (cursor.fetchone() or [{}])[0]
    if not state.keys() >= VERSIONS:
        raise UnknownSchema(FOREIGN)
    if state["compatible_from"] > version:
        raise UnknownSchema(NEWER)
    if not records:  # then a version had all migrations up to it
        return set(range(1, state["schema_version"] + 1))
    cursor.execute("select number from schema_migrations")
    return {number for (number,) in cursor}


def _create(cursor, schema):
    try:
        cursor.execute(schema.tables)
    except (errors.DuplicateTable, errors.DuplicateObject) as error:
        raise UnknownSchema(OCCUPIED.format(error.diag.message_primary)) from None
    cursor.execute(schema.functions)
    for migration in schema.migrations:
        _record(cursor, migration)
    _finish(cursor, schema)


def _record(cursor, migration):
    cursor.execute("select to_regclass('schema_migrations') is not null")
    if cursor.fetchone()[0]:
        cursor.execute(
            "insert into schema_migrations (number, name) values (%s, %s)", (migration.number, migration.name)
        )
    cursor.execute("update parley set schema_version = greatest(schema_version, %s)", (migration.number,))


def _finish(cursor, schema):
    """The functions' digest goes last: only now may an instance of this release start."""
    cursor.execute(
        "update parley set schema_version = %s, functions = array_append(array_remove(functions, %s), %s)",
        (schema.version, schema.digest, schema.digest),
    )


# Functions


def _make_functions(cursor, text):
    """Make functions and types as the text has them.

    `create or replace` cannot change a composite type, a result or a parameter's name. So they are made aside first, where nobody finds them;
    what differs from what is there is dropped, and the text is run in its place. Functions that the text does not name stay.
    """
    cursor.execute("select current_schema()")
    (home,) = cursor.fetchone()
    cursor.execute("savepoint aside")
    # A function in pg_temp is found by nobody, not even by those beside it: their bodies cannot be looked at.
    cursor.execute("set local check_function_bodies = off")
    cursor.execute("select set_config('search_path', 'pg_temp, ' || current_setting('search_path'), true)")
    cursor.execute(text)
    cursor.execute("select nspname from pg_namespace where oid = pg_my_temp_schema()")
    (aside,) = cursor.fetchone()
    types, functions = _types(cursor, aside), _functions(cursor, aside)
    cursor.execute("rollback to savepoint aside")

    ours = {key: described for key, described in _functions(cursor, home).items() if key in functions}
    changed_types = [
        name for name, attributes in _types(cursor, home).items() if types.get(name, attributes) != attributes
    ]
    dropped = {key for key, described in ours.items() if described != functions[key]}
    dropped |= {key for name in changed_types for key in _users_of(cursor, home, name) if key in ours}
    for name, arguments in sorted(dropped):
        kind = "aggregate" if ours[name, arguments][0] == "a" else "routine"
        cursor.execute(sql.SQL("drop {} {} ({})").format(sql.SQL(kind), sql.Identifier(home, name), sql.SQL(arguments)))
    for name in changed_types:
        cursor.execute(sql.SQL("drop type {}").format(sql.Identifier(home, name)))
    cursor.execute(text)


def _functions(cursor, namespace) -> dict:
    """(name, types of the arguments) → what `create or replace` leaves as it is."""
    cursor.execute(
        """
        select proname, oidvectortypes(proargtypes), prokind, pg_get_function_arguments(oid), pg_get_function_result(oid)
        from pg_proc where pronamespace = (select oid from pg_namespace where nspname = %s)""",
        (namespace,),
    )
    return {(name, arguments): rest for name, arguments, *rest in cursor}


def _types(cursor, namespace) -> dict:
    """Name of each composite type → its attributes."""
    cursor.execute(
        """
        select c.relname, array_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod) order by a.attnum)
        from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where c.relkind = 'c' and c.relnamespace = (select oid from pg_namespace where nspname = %s) group by c.relname""",
        (namespace,),
    )
    return dict(cursor.fetchall())


def _users_of(cursor, namespace, type_name) -> list:
    """Functions that take or answer this type, as the keys of `_functions`."""
    cursor.execute(
        """
        select distinct proname, oidvectortypes(proargtypes)
        from pg_type t join pg_depend d on d.refclassid = 'pg_type'::regclass and d.refobjid in (t.oid, t.typarray)
                       join pg_proc p on d.classid = 'pg_proc'::regclass and p.oid = d.objid
        where t.typname = %s and t.typnamespace = (select oid from pg_namespace where nspname = %s)""",
        (type_name, namespace),
    )
    return cursor.fetchall()
