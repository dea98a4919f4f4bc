"""`load.profile` of a sweep file: segments, a recorded list in a CSV file, or the notation of the load generator."""

import csv
import itertools
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import ValidationInfo
from pydantic_core import PydanticCustomError

from loadtests import profiles
from loadtests.profiles import MOST_SEGMENTS, Profile
from loadtests.segments import MOST_RATE, Ramp, Segment, Sine
from testbed.plan.fields import Reader, not_allowed, not_allowed_at
from testbed.units import parse_duration_us

ALLOWED = (
    "a list of segments `{rate: R, for: D}`, `{from: R, to: R, for: D}`, `{mean: R, amplitude: R, period: D, for: D}` "
    "or `{csv: FILE}` (a rate a line, each for a second, or `seconds,rate`; the path is relative to the sweep file); "
    "or their short form, such as `100x20s,100-400x60s,200+-150/60sx120s`"
)
_SEGMENT = "{rate, for}, {from, to, for}, {mean, amplitude, period, for} or {csv}"
_LONGEST_SHOWN = 60
# So that seconds may be those of a clock.
_LATEST_S = 1e12

STEADY = "none"
"""In a cell: the rate does not change."""


def label(text: str) -> str:
    """A profile in a table or a sentence: its notation, or what it comes to where that is long."""
    if len(text) <= _LONGEST_SHOWN:
        return text
    profile = profiles.parse(text)
    return f"{len(profile.segments)} segments, up to {profile.highest:g}, {profile.length_s:g}s"


def _read(value: object, info: ValidationInfo) -> str:
    """The notation of what the sweep file has."""
    context: dict[str, Any] = info.context or {}
    try:
        if isinstance(value, str):
            return profiles.parse(value).text
        if not isinstance(value, list) or not value:
            raise not_allowed(ALLOWED)
        found: list[Segment] = []
        for place, item in enumerate(value):
            found += _segments(item, place, context.get("directory", Path()))
        return Profile(tuple(found)).text
    except PydanticCustomError:
        raise
    except ValueError as error:
        raise not_allowed(str(error)) from None


def _segments(item: object, place: int, directory: Path) -> list[Segment]:
    keys = set(item) if isinstance(item, dict) else set()
    try:
        match item:
            case {"rate": rate, "for": length} if keys == {"rate", "for"}:
                return [Ramp(_rate(rate), _rate(rate), _seconds(length))]
            case {"from": first, "to": last, "for": length} if keys == {"from", "to", "for"}:
                return [Ramp(_rate(first), _rate(last), _seconds(length))]
            case {"mean": mean, "amplitude": swing, "period": period, "for": length} if len(keys) == 4:
                return [Sine(_rate(mean), _rate(swing), _seconds(period), _seconds(length))]
            case {"csv": str(name)} if keys == {"csv"}:
                return _recorded(directory / name)
    except ValueError as error:
        raise not_allowed_at((place,), str(error)) from None
    raise not_allowed_at((place,), _SEGMENT)


def _rate(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST_RATE:
        raise ValueError(f"rates from 0 to {MOST_RATE} requests per second, not {value!r}")
    return round(float(value), 6)


def _seconds(value: object) -> float:
    try:
        return parse_duration_us(value) / 1e6
    except ValueError as error:
        raise ValueError(f"durations: {error}; not {value!r}") from None


def _recorded(path: Path) -> list[Segment]:
    """Rates, one a line and each for a second; or with the second from which on each holds, in rising order, the last
    for as long as the one before it. Raises ValueError that names the line."""
    try:
        rows = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise ValueError(f"a file with a rate a line, and {path} cannot be read: {reason}") from None
    lines = [(number, row) for number, row in enumerate(rows, 1) if row]
    if not lines:
        raise ValueError(f"a file with a rate a line, and {path} is empty")
    columns = len(lines[0][1])
    seconds: list[float] = []
    rates: list[float] = []
    for number, row in lines:
        if len(row) != columns or columns > 2:
            raise ValueError(f"a rate, or seconds,rate, on every line, and {path}:{number} has {','.join(row)!r}")
        rates.append(_number(row[-1], path, number, MOST_RATE))
        seconds.append(_number(row[0], path, number, _LATEST_S) if columns == 2 else float(len(seconds)))
        if len(seconds) > 1 and seconds[-1] <= seconds[-2]:
            raise ValueError(f"rising seconds, and {path}:{number} has {row[0]} after {seconds[-2]:g}")
    if columns == 2 and len(rates) == 1:
        raise ValueError(f"two lines or more of seconds,rate, and {path} has one: nothing says how long it holds")
    found = profiles.steps(rates, _lengths(seconds))
    if len(found) > MOST_SEGMENTS:
        raise ValueError(f"at most {MOST_SEGMENTS} different rates in a row, and {path} has {len(found)}")
    return found


def _lengths(begins: list[float]) -> list[float]:
    lengths = [round(later - earlier, 6) for earlier, later in itertools.pairwise(begins)]
    return [*lengths, lengths[-1] if lengths else 1.0]


def _number(text: str, path: Path, line: int, highest: float) -> float:
    try:
        number = round(float(text), 6)
        if not 0 <= number <= highest:
            raise ValueError
        return number
    except ValueError:
        raise ValueError(f"numbers from 0 to {highest:g}, and {path}:{line} has {text.strip()!r}") from None


def misfit(text: str, window_us: int) -> str:
    """Why this profile cannot run in such a window; empty when it can."""
    profile, window_s = profiles.parse(text), window_us / 1e6
    if profile.length_s > window_s:
        return (
            f"at most {window_s:g} s, the `duration` of the window; these segments take {profile.length_s:g} s "
            "(a shorter profile's last rate holds until the window closes)"
        )
    if profile.count(window_s) < 1:
        return f"rates that come to at least one request in the window of {window_s:g} s"
    return ""


# Every cell of a sweep asks the same, and a recorded list may have thousands of segments.
@lru_cache(maxsize=64)
def mean_rps(text: str, window_s: float) -> float:
    """The mean rate over the window, requests per second."""
    return round(profiles.parse(text).mean(window_s), 6)


LoadProfile = Annotated[str, Reader(_read, allowed=ALLOWED, in_parts=True)]
