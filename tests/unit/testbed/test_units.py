"""Durations and sizes mean what they say, and nothing else is taken for one."""

import pytest

from testbed.units import format_bytes, format_clock, format_us, parse_bytes, parse_duration_us


@pytest.mark.parametrize(
    ("text", "us"),
    [("500us", 500), ("5ms", 5_000), ("1.5ms", 1_500), ("2s", 2_000_000), ("1 m", 60_000_000), (0, 0), ("0", 0)],
)
def test_durations_are_read_in_microseconds(text: object, us: int) -> None:
    assert parse_duration_us(text) == us


@pytest.mark.parametrize("text", ["5", 5, 2.5, "5 hours", "ms", "-5ms", "0.5us", True, None, ["5ms"]])
def test_a_duration_without_a_known_unit_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="us"):
        parse_duration_us(text)


@pytest.mark.parametrize(
    ("text", "count"), [("64B", 64), ("1KiB", 1024), ("128MiB", 134_217_728), ("0.5GiB", 536_870_912)]
)
def test_sizes_are_read_in_bytes(text: str, count: int) -> None:
    assert parse_bytes(text) == count


@pytest.mark.parametrize("text", ["64", 64, "128MB", "128mib", "-1B", "0.3B"])
def test_a_size_without_a_known_unit_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="B"):
        parse_bytes(text)


def test_quantities_are_shown_in_the_largest_readable_unit() -> None:
    assert [format_us(us) for us in (950, 5_000, 1_250_000)] == ["950us", "5ms", "1.25s"]
    assert [format_bytes(count) for count in (64, 13_107_200, 2**31)] == ["64B", "12.5MiB", "2GiB"]
    assert [format_clock(seconds) for seconds in (5, 65, -1)] == ["0:05", "1:05", "0:00"]
