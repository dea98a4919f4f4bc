"""What a PostgreSQL is told, and what it makes of that. tests/parts/test_postgres.py tries that it accepts it."""

import pytest

from behind import postgres_texts as texts
from behind.postgres_settings import read
from behind.settings import SettingsError

PASSWORD = {"BEHIND_PASSWORD": "a-password_1"}


def lines(environment: dict[str, str]) -> list[str]:
    return texts.configuration(read({**PASSWORD, **environment})).splitlines()


def statements(environment: dict[str, str]) -> str:
    return texts.statements(read({**PASSWORD, **environment}))


def test_a_password_makes_a_primary_with_the_usual_data() -> None:
    settings = read(PASSWORD)
    assert (settings.role, settings.keys, settings.value_bytes, settings.shards_count) == ("primary", 10_000, 100, 1)
    assert "synchronous_commit = on" in lines({}) and "synchronous_standby_names = ''" in lines({})


def test_a_commit_waits_until_every_standby_shows_it() -> None:
    text = lines({"COMMIT": "remote_apply", "STANDBYS": "2"})
    assert "synchronous_commit = remote_apply" in text
    assert """synchronous_standby_names = 'FIRST 2 ("standby-1", "standby-2")'""" in text


@pytest.mark.parametrize(
    "environment",
    [
        {"COMMIT": "remote_apply"},
        {"STANDBYS": "2"},
        {"ROLE": "standby", "PRIMARY": "postgres", "COMMIT": "remote_apply", "STANDBYS": "1"},
    ],
)
def test_without_standbys_or_the_wish_a_commit_waits_for_nobody(environment: dict[str, str]) -> None:
    assert "synchronous_standby_names = ''" in lines(environment)


def test_a_standby_has_room_for_as_many_as_its_primary_and_a_name() -> None:
    environment = {"MEMORY_BYTES": str(256 * 2**20), "KEYS": "1000"}
    standby = {**environment, "ROLE": "standby", "PRIMARY": "postgres", "STANDBY": "standby-2"}
    assert lines(environment) == lines(standby)
    settings = read({**PASSWORD, **standby})
    assert (settings.primary, settings.name) == ("postgres", "standby-2")


@pytest.mark.parametrize(("mebibytes", "connections"), [(96, 17), (128, 30), (512, 186), (1024, 200)])
def test_connections_are_as_many_as_there_is_memory_for_up_to_200(mebibytes: int, connections: int) -> None:
    memory = {"MEMORY_BYTES": str(mebibytes * 2**20)}
    assert read({**PASSWORD, **memory}).connections == connections
    # Some are left for who asks how it is doing.
    assert f"max_connections = {connections + 5}" in lines(memory)
    assert "superuser_reserved_connections = 5" in lines(memory)


def test_a_shard_has_the_keys_of_its_part_alone() -> None:
    text = statements({"ROLE": "shard", "SHARD": "1", "SHARDS_COUNT": "4", "KEYS": "50", "VALUE_BYTES": "9"})
    assert "FROM generate_series(0, 49) AS key WHERE hashint4(key) & 3 = 1;" in text
    assert "greatest(9, " in text


def test_a_router_knows_where_the_parts_are_and_has_no_data() -> None:
    text = statements({"ROLE": "router", "SHARDS": "shard-1 shard-2"})
    assert "p0 'dbname=threadmill host=shard-1 port=5432 connect_timeout=5'" in text
    assert "p1 'dbname=threadmill host=shard-2 port=5432 connect_timeout=5'" in text
    assert "CREATE TABLE" not in text and text.count("RUN ON hashint4(k)") == 2 and text.count("RUN ON ALL") == 1


def test_a_read_takes_longer_by_what_it_costs() -> None:
    assert "PERFORM pg_sleep(0.002500);" in statements({"READ_COST_US": "2500"})
    assert "pg_sleep" not in statements({})


def test_single_user_mode_gets_every_statement_by_itself() -> None:
    for environment in ({}, {"ROLE": "router", "SHARDS": "a b"}):
        parts = [part for part in statements(environment).split(";\n\n") if part.strip()]
        assert all(part.strip().startswith(("ALTER", "CREATE", "GRANT", "INSERT", "ANALYZE")) for part in parts)


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"BEHIND_PASSWORD": ""}, "BEHIND_PASSWORD: missing"),
        ({"ROLE": "replica"}, "ROLE='replica': must be primary, standby, shard or router"),
        ({"ROLE": "standby"}, "PRIMARY='': must be one host name"),
        ({"ROLE": "standby", "PRIMARY": "a b"}, "PRIMARY='a b': must be one host name"),
        ({"ROLE": "standby", "PRIMARY": "a", "STANDBY": "b'; c"}, 'STANDBY: "b\';" must be a host name'),
        ({"ROLE": "router"}, "SHARDS: 0 of them; must be a power of two, 1 to 16"),
        ({"ROLE": "router", "SHARDS": "a b c"}, "SHARDS: 3 of them; must be a power of two, 1 to 16"),
        ({"ROLE": "shard", "SHARDS_COUNT": "3"}, "SHARDS_COUNT: 3 of them; must be a power of two, 1 to 16"),
        ({"ROLE": "shard", "SHARDS_COUNT": "2", "SHARD": "2"}, "SHARD='2': must be a whole number from 0 to 1"),
        ({"MEMORY_BYTES": "67108864"}, "MEMORY_BYTES=67108864: must be 100663296 at least for PostgreSQL"),
        ({"KEYS": "0"}, "KEYS='0': must be a whole number from 1 to 100000000"),
        ({"KEYS": "1000000"}, "KEYS=1000000, VALUE_BYTES=100: take about 286 MiB, and a quarter of MEMORY_BYTES="),
        ({"VALUE_BYTES": "65537"}, "VALUE_BYTES='65537': must be a whole number from 0 to 65536"),
        ({"COMMIT": "off"}, "COMMIT='off': must be on or remote_apply"),
        ({"STANDBYS": "17"}, "STANDBYS='17': must be a whole number from 0 to 16"),
        ({"READ_COST_US": "-1"}, "READ_COST_US='-1': must be a whole number from 0 to 10000000"),
    ],
)
def test_what_is_not_allowed_gets_one_line(environment: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError) as error:
        read({**PASSWORD, **environment})
    (line,) = str(error.value).splitlines()
    assert line.startswith(says)
