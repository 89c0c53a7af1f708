"""Databases without a schema, and what two databases are compared by."""

import itertools
from contextlib import closing

import psycopg2
import pytest

from tests.chat.conftest import db, opened, together, world  # noqa: F401

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def empty(postgres):
    """`empty()` → the URL of a database without any schema."""
    names = []

    def create() -> str:
        names.append(f"empty_{next(_numbers)}")
        postgres.create_database(names[-1], "template0")
        return postgres.url(names[-1])

    yield create
    for name in names:
        postgres.drop_database(name)


def run(url, sql, *parameters):
    """One transaction; the rows, if the last statement has any."""
    with closing(psycopg2.connect(url)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(sql, parameters or None)
        return cursor.fetchall() if cursor.description else None


# Everything that a schema consists of, as (kind, of what, name, definition). Columns of tables have no order here; a composite type's have.
CATALOG = """
    with home as (select oid from pg_namespace where nspname = current_schema())
    select 'table', '', relname, concat_ws(' ', relkind, relpersistence, reloptions)
        from pg_class where relnamespace in (table home) and relkind not in ('i', 'c')
    union all select 'column', c.relname, a.attname, concat_ws(' ', format_type(a.atttypid, a.atttypmod), 'not null ' || a.attnotnull,
                     pg_get_expr(d.adbin, d.adrelid), a.attidentity, a.attgenerated, a.attstorage, a.attstattarget, a.attcollation::regcollation)
        from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum where c.relnamespace in (table home) and c.relkind not in ('i', 'c')
    union all select 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid) || ' validated ' || convalidated
        from pg_constraint where connamespace in (table home) and contype <> 'n'
    union all select 'index', i.indrelid::regclass::text, i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) || ' valid ' || i.indisvalid
        from pg_index i join pg_class c on c.oid = i.indexrelid where c.relnamespace in (table home)
    union all select 'function', pg_get_function_identity_arguments(oid), proname, pg_get_functiondef(oid)
        from pg_proc where pronamespace in (table home) and prokind <> 'a'
    union all select 'type', '', c.relname, string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod), ', ' order by a.attnum)
        from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where c.relnamespace in (table home) and c.relkind = 'c' group by c.relname
    union all select 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) from pg_trigger where not tgisinternal
    union all select 'extension', '', extname, '' from pg_extension"""


def catalog(url) -> set:
    return set(run(url, CATALOG))


def tables(url) -> list:
    return [
        name
        for (name,) in run(
            url, "select relname from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'"
        )
    ]


def data(url) -> dict:
    """Table → its rows as dicts, ordered by all that they hold."""
    return {
        name: [row for (row,) in run(url, f"select to_jsonb(t) from {name} t order by to_jsonb(t)::text")]
        for name in tables(url)
    }
