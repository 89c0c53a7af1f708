"""The cases: what each measures, and its marks. `CASES` is the order of the table."""

from bench.cases import fanout

CASES = {
    "fanout": fanout.tcp,
    "unix": fanout.unix,
    "nginx": fanout.nginx,
}
