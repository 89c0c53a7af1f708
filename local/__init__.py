"""The services of `make run` and of the tests: PostgreSQL, Valkey and nginx from wheels, and instances of Parley.

Nothing here is needed in production, where `DATABASE_URL` and `REDIS_URL` say what to use.
"""
