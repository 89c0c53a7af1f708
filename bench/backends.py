"""What PostgreSQL has used on behalf of one database: CPU seconds of its backends, by who they serve, and of what writes for them.

Counted are the backends connected to the database, and the server's own processes (checkpointer, writers, I/O workers), which are
everybody's: whatever else goes on in the server meanwhile must be idle. Not counted is autovacuum, which comes once a minute into
whichever run is under way; and whoever measures.
"""

from bench.measure import cpu_seconds_of

# How an instance's consumers of the log (`workers/`) name their connections, after the name of the instance.
CONSUMERS = " workers"

_PROCESSES = """
    select pid, coalesce(application_name, '') from pg_stat_activity
    where (datname = current_database() or datname is null) and pid <> pg_backend_pid()
    and backend_type not in ('autovacuum worker', 'autovacuum launcher')"""


class Backends:
    """`with Backends(people) as used: …`, then `used.senders` and `used.consumers`, CPU seconds."""

    def __init__(self, people):
        self._people = people
        self.senders = self.consumers = 0.0

    def __enter__(self):
        self._before = self._read()
        return self

    def __exit__(self, *error):
        for (pid, name), seconds in self._read().items():
            used = seconds - self._before.get((pid, name), 0.0)
            if name.endswith(CONSUMERS):
                self.consumers += used
            else:
                self.senders += used

    @property
    def total(self) -> float:
        return self.senders + self.consumers

    def _read(self):
        return {(pid, name): cpu_seconds_of(pid) for pid, name in self._people.rows(_PROCESSES)}
