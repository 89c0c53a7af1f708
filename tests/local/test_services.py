"""PostgreSQL and Valkey as the tests use them: hurt, and back at the same address."""

import psycopg2
import pytest
import redis


def test_a_killed_postgresql_comes_back_with_its_data_at_the_same_address(postgres):
    postgres.create_database("kept")
    address = postgres.url("kept")
    execute(address, "create table t as select 1")
    postgres.kill()
    with pytest.raises(psycopg2.OperationalError):
        execute(address, "select 1")
    postgres.start()
    assert postgres.url("kept") == address
    execute(address, "insert into t select count(*) from t")
    postgres.drop_database("kept")
    assert "kept" not in postgres.databases()


def test_over_tcp_postgresql_wants_the_password(postgres):
    with pytest.raises(psycopg2.OperationalError, match="password"):
        psycopg2.connect(host="127.0.0.1", port=postgres.port, user="postgres", password="guess", dbname="postgres")


def test_a_restarted_valkey_is_empty_and_at_the_same_address(valkey):
    with redis.Redis.from_url(valkey.url) as client:
        client.set("here", "1")
    valkey.kill()
    valkey.start()
    with redis.Redis.from_url(valkey.url) as client:
        assert client.get("here") is None


def test_each_module_has_a_database_of_its_own(database, new_database):
    other = new_database()
    assert other != database
    for address in (database, other):
        execute(address, "create table only_here (n int)")


def execute(url, text):
    connection = psycopg2.connect(url, connect_timeout=5)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(text)
    finally:
        connection.close()
