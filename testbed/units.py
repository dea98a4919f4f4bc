"""Durations and sizes as people write them: `5ms`, `500us`, `2s`; `64B`, `128MiB`."""

import re

US_PER_UNIT = {"us": 1, "ms": 1_000, "s": 1_000_000, "m": 60_000_000}
BYTES_PER_UNIT = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}

_QUANTITY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*")


def _parse(text: object, units: dict[str, int], example: str) -> int:
    allowed = f"a number with one of the units {', '.join(units)}, such as {example}"
    match = _QUANTITY.fullmatch(text) if isinstance(text, str) else None
    if text == 0 and not isinstance(text, bool):
        return 0
    if match is None:
        raise ValueError(allowed)
    number, unit = match.groups()
    if unit not in units and not (unit == "" and float(number) == 0):
        raise ValueError(allowed)
    value = float(number) * units.get(unit, 1)
    if value != int(value):
        raise ValueError(f"a whole number of {next(iter(units))}, such as {example}")
    return int(value)


def parse_duration_us(text: object) -> int:
    """Microseconds of a duration such as `5ms`. A bare 0 needs no unit. ValueError says what is allowed."""
    return _parse(text, US_PER_UNIT, "500us, 5ms or 2s")


def parse_bytes(text: object) -> int:
    """Bytes of a size such as `128MiB`. A bare 0 needs no unit. ValueError says what is allowed."""
    return _parse(text, BYTES_PER_UNIT, "64B or 128MiB")


def format_us(us: float) -> str:
    """A duration in the largest unit that keeps it readable: `950us`, `5ms`, `1.25s`."""
    for unit in ("s", "ms"):
        if us >= US_PER_UNIT[unit]:
            return f"{us / US_PER_UNIT[unit]:.3g}{unit}"
    return f"{us:.0f}us"


def format_bytes(count: float) -> str:
    """A size in the largest unit that keeps it readable: `64B`, `12.5MiB`."""
    for unit in ("GiB", "MiB", "KiB"):
        if count >= BYTES_PER_UNIT[unit]:
            return f"{count / BYTES_PER_UNIT[unit]:.3g}{unit}"
    return f"{count:.0f}B"


def format_clock(seconds: float) -> str:
    """Minutes and seconds: `1:05`."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    return f"{minutes}:{rest:02d}"
