"""What a PgBouncer is told, and what it makes of that. tests/parts/test_postgres.py tries that it accepts it."""

import base64

import pytest

from behind import pgbouncer, postgres_settings, postgres_texts, scram
from behind.pgbouncer import check_files, read
from behind.settings import SettingsError

TOLD = {"BEHIND_PASSWORD": "a-password_1", "POSTGRES": "postgres"}


def test_transactions_share_as_many_connections_as_it_is_told() -> None:
    text = pgbouncer.configuration(read({**TOLD, "POOL": "7", "CLIENTS": "300"})).splitlines()
    assert {"pool_mode = transaction", "default_pool_size = 7", "max_client_conn = 300"} <= set(text)
    assert "threadmill = host=postgres port=5432 dbname=threadmill user=threadmill password=a-password_1" in text


def test_who_may_connect_is_told_by_the_secret_that_the_database_keeps() -> None:
    assert pgbouncer.users(read(TOLD)) == f'"threadmill" "{scram.secret("a-password_1")}"\n'
    assert f"CREATE ROLE threadmill LOGIN PASSWORD '{scram.secret('a-password_1')}';" in postgres_texts.statements(
        postgres_settings.read(TOLD)
    )


def test_the_secret_is_that_of_the_standard() -> None:
    # The salt, iterations and password of the example in RFC 7677, section 3.
    assert scram.secret("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")) == (
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
        "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"BEHIND_PASSWORD": "a b"}, "BEHIND_PASSWORD: not one; must be"),
        ({"POSTGRES": ""}, "POSTGRES='': must be one host name"),
        ({"POOL": "0"}, "POOL='0': must be a whole number from 1 to 1000"),
        ({"CLIENTS": "many"}, "CLIENTS='many': must be a whole number from 1 to 100000"),
        ({"WAIT": "0"}, "WAIT='0': must be a whole number from 1 to 3600"),
    ],
)
def test_what_is_not_allowed_gets_one_line(environment: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError) as error:
        read({**TOLD, **environment})
    (line,) = str(error.value).splitlines()
    assert line.startswith(says)


def test_more_connections_than_files_would_be_a_ceiling_nobody_sees() -> None:
    settings = read(TOLD)
    check_files(settings, 2_084)
    check_files(settings, -1)
    with pytest.raises(SettingsError, match=r"CLIENTS=2000: needs 2084 open files, .* limit is 2083: .* most 1999"):
        check_files(settings, 2_083)
