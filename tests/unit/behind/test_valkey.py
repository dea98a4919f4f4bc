"""The files that a Valkey begins with. That the program reads them, tests/parts/test_valkey.py tries."""

import pytest

from behind import valkey, valkey_file
from behind.settings import SettingsError

TOLD = {"BEHIND_PASSWORD": "secret-123", "MEMORY_BYTES": "100000000"}
THREE = ("valkey-1", "valkey-2", "valkey-3")


def lines(environment: dict[str, str], address: str = "") -> list[str]:
    return valkey.configuration(valkey.read({**TOLD, **environment}), address).splitlines()


def test_by_itself_it_keeps_what_it_has_in_memory_alone_and_lets_one_user_in() -> None:
    text = lines({"PRELOAD": "1", "CPUS": "0.2"})
    assert {'save ""', "appendonly no", "io-threads 1", "maxmemory 60000000", "maxmemory-policy noeviction"} <= set(
        text
    )
    assert "user default off" in text
    assert not any("secret-123" in line or line.startswith("cluster") for line in text)


@pytest.mark.parametrize(
    ("environment", "line"),
    [
        ({}, "maxmemory-policy allkeys-lru"),
        ({"MAXMEMORY": "5000000"}, "maxmemory 5000000"),
        ({"CPUS": "2.5"}, "io-threads 2"),
        ({"MASTERS": " ".join(THREE)}, "cluster-enabled yes"),
        ({"MASTERS": " ".join(THREE)}, "cluster-announce-ip 10.0.0.7"),
    ],
)
def test_what_it_is_told_is_in_its_configuration(environment: dict[str, str], line: str) -> None:
    assert line in lines(environment, "10.0.0.7")


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"MASTERS": "a b"}, "MASTERS='a b': must be 3 names or more; empty: it stands alone"),
        ({"MASTERS": "a b b"}, "MASTERS: b is there twice"),
        ({"KEYS": "0"}, "KEYS='0': must be a whole number from 1 to 10000000"),
        ({"VALUE_BYTES": "65537"}, "VALUE_BYTES='65537'"),
        ({"PRELOAD": "yes"}, "PRELOAD='yes'"),
        ({"MAXMEMORY": "1"}, "MAXMEMORY='1'"),
    ],
)
def test_a_value_that_is_not_allowed_gets_one_line(environment: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError) as told:
        valkey.read({**TOLD, **environment})
    assert str(told.value).startswith(says) and "\n" not in str(told.value)


@pytest.mark.parametrize("masters", [1, 3, 5])
def test_every_slot_is_one_masters(masters: int) -> None:
    found = [slot for place in range(masters) for slot in valkey.slots_of(place, masters)]
    assert found == list(range(16384))


def test_each_master_knows_itself_and_the_others() -> None:
    where = dict(zip(THREE, ("10.0.0.1", "10.0.0.2", "10.0.0.3"), strict=True))
    files = [valkey.nodes(THREE, place, where).splitlines() for place in range(3)]
    for place, text in enumerate(files):
        assert text[-1] == "vars currentEpoch 3 lastVoteEpoch 0"
        rows = [line.split() for line in text[:-1]]
        assert [row[1] for row in rows] == [f"{address}:6379@16379" for address in where.values()]
        assert ["myself" in row[2] for row in rows] == [number == place for number in range(3)]
        assert [row[-1] for row in rows] == ["0-5460", "5461-10921", "10922-16383"]
        assert len({row[0] for row in rows}) == len({row[6] for row in rows}) == 3
    assert len({tuple(line.split()[0] for line in text) for text in files}) == 1, (
        "they call each other by the same names"
    )


def test_the_values_of_all_masters_together_are_those_of_one() -> None:
    alone = valkey.read({**TOLD, "KEYS": "50", "VALUE_BYTES": "12"})
    cluster = valkey.read({**TOLD, "KEYS": "50", "VALUE_BYTES": "12", "MASTERS": " ".join(THREE)})
    whole = valkey.values(alone, 0)
    parts = [valkey.values(cluster, place) for place in range(3)]
    assert b"item:7" in whole and b"7:0:xxxxxxxx" in whole
    around = len(valkey_file.dump([]))
    assert sum(len(part) - around for part in parts) == len(whole) - around
    assert all(len(part) > around for part in parts)


@pytest.mark.parametrize(
    ("value_bytes", "value"), [(0, b"7:0:"), (4, b"7:0:"), (6, b"7:0:xx"), (100, b"7:0:" + b"x" * 96)]
)
def test_a_value_is_its_key_and_version_padded_and_never_cut(value_bytes: int, value: bytes) -> None:
    assert list(valkey_file.items([7], value_bytes)) == [(b"item:7", value)]


@pytest.mark.parametrize(
    ("length", "written"),
    [(63, b"\x3f"), (64, b"\x40\x40"), (16383, b"\x7f\xff"), (16384, b"\x80\x00\x00\x40\x00")],
)
def test_a_length_is_written_in_as_few_bytes_as_the_format_has(length: int, written: bytes) -> None:
    value = b"x" * length
    assert b"\x00\x01k" + written + value in valkey_file.dump([(b"k", value)])


def test_slots_are_those_of_the_specification() -> None:
    # Its own example, and the remainder of the check value of CRC-16/XMODEM.
    assert valkey_file.slot(b"somekey") == 11058
    assert valkey_file.slot(b"123456789") == 0x31C3 % 16384
