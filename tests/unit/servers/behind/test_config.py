"""What the environment says is behind a server, and what is wrong with it."""

import pytest

from servers.behind.config import KINDS, read_behind
from servers.config import ConfigError

ALL = {"BEHIND_WRITE": "store:5432", "BEHIND_CACHE": "valkey-1:6379, valkey-2:6379", "BEHIND_PASSWORD": "secret"}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_addresses_and_defaults(kind: str) -> None:
    found = read_behind({**ALL, "BEHIND": kind})
    assert found is not None
    assert found.kind == kind
    assert found.write == found.read == (() if kind == "valkey" else (("store", 5432),))
    assert found.cache == ((("valkey-1", 6379), ("valkey-2", 6379)) if kind.startswith("valkey") else ())
    assert (found.pool, found.wait_s, found.ttl_s, found.lock, found.share, found.value_bytes) == (
        4,
        1,
        0,
        False,
        1,
        100,
    )


def test_reads_go_where_they_are_told_to() -> None:
    found = read_behind({**ALL, "BEHIND": "postgres", "BEHIND_READ": "standby-1:5432,standby-2:5433"})
    assert found is not None and found.read == (("standby-1", 5432), ("standby-2", 5433))


@pytest.mark.parametrize("environment", [{}, {"BEHIND": ""}, ALL])
def test_nothing_is_behind_unless_it_is_said(environment: dict[str, str]) -> None:
    assert read_behind(environment) is None


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (
            {"BEHIND": "mysql"},
            "BEHIND='mysql': must be one of postgres, valkey, valkey+postgres, nats, jetstream, rabbitmq",
        ),
        ({"BEHIND_WRITE": ""}, "BEHIND=postgres needs BEHIND_WRITE: host:port"),
        ({"BEHIND_WRITE": "store"}, "BEHIND_WRITE='store': must be host:port with a port from 1 to 65535"),
        ({"BEHIND_WRITE": "store:0"}, "BEHIND_WRITE='store:0': must be host:port with a port from 1 to 65535"),
        ({"BEHIND_WRITE": "a:1,b:2"}, "BEHIND_WRITE='a:1,b:2': must be one host:port"),
        ({"BEHIND_READ": "a:1,:2"}, "BEHIND_READ=':2': must be host:port with a port from 1 to 65535"),
        ({"BEHIND_POOL": "0"}, "BEHIND_POOL='0': must be a whole number from 1 to 1024"),
        ({"BEHIND_WAIT": "nan"}, "BEHIND_WAIT='nan': must be a number from 0 to 60"),
        ({"CACHE_TTL": "-1"}, "CACHE_TTL='-1': must be a number from 0 to 86400"),
        ({"CACHE_LOCK": "yes"}, "CACHE_LOCK='yes': must be a whole number from 0 to 1"),
        ({"CACHE_SHARE": "1.1"}, "CACHE_SHARE='1.1': must be a number from 0 to 1"),
        ({"VALUE_BYTES": "65537"}, "VALUE_BYTES='65537': must be a whole number from 0 to 65536"),
    ],
)
def test_what_is_wrong_is_one_line(told: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_behind({**ALL, "BEHIND": "postgres", **told})
    assert str(caught.value) == said
