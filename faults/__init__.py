"""The fault rig: a whole Parley under load and under faults, and a checker that knows only what is documented.

It shares nothing with `tests/` and `bench/`, and of the product it knows `docs/` and the tables; only `mutants` reaches inside.
"""
