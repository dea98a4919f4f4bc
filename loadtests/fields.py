"""What a run can be asked for: names, defaults, bounds and help, for the command line, the web form and the workers."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from loadtests import combinations, mixes, profiles, segments
from loadtests.field import Field, OptionError, choice, flag, number, whole
from loadtests.options import Options
from loadtests.wire.protocols import METHODS, PROTOCOLS

MOST_WORK_US = 10_000_000
MOST_UNITS = 100_000_000
"""The bounds of the protocol's !spin and !hash."""

MOST_KEYS = 1_000_000
MOST_REQUESTS_PER_CONNECTION = 1_000_000
MOST_USERS = 100_000


def _connection(text: str) -> str:
    if text in ("persistent", "per-request"):
        return text
    if not 1 <= int(text) <= MOST_REQUESTS_PER_CONNECTION:
        raise ValueError
    return str(int(text))


def _trial_id(text: str) -> str:
    # Becomes a file name: no separator, no leading dot.
    if text and not re.fullmatch(r"(?!\.)[A-Za-z0-9._-]{1,200}", text):
        raise ValueError
    return text


def _profile(text: str) -> str:
    try:
        return profiles.parse(text).text if text else ""
    except ValueError as error:
        # It knows which segment.
        raise OptionError(f"load_profile: {error}") from None


def _services(text: str) -> str:
    try:
        mixes.parse(text)
    except ValueError as error:
        # It knows which service.
        raise OptionError(f"services: {error}") from None
    return text


def _api_key(text: str) -> str:
    if not re.fullmatch(r"[!-~]{0,100}", text):
        raise ValueError
    return text


FIELDS: tuple[Field, ...] = (
    choice("protocol", PROTOCOLS, "line: a line is echoed; http: the body of a POST"),
    choice("method", METHODS, "http: post, an echo of its body; get, items by their keys"),
    choice("mode", ("closed", "open"), "closed: users wait for replies; open: a rate"),
    Field(
        "connection",
        "persistent",
        "persistent, per-request, or requests on each",
        f"persistent, per-request or a whole number of requests from 1 to {MOST_REQUESTS_PER_CONNECTION}",
        _connection,
    ),
    whole("payload_bytes", 64, 1, 65536, "size of a request, 1 to 65536"),
    number("think_ms", 0.0, 0, 3_600_000, "closed: milliseconds a user pauses between requests"),
    number("rate", 0.0, 0, 1_000_000, "open: requests per second over all workers"),
    # Locust has a field `profile` of its own, the name of a group of runs.
    Field("load_profile", "", "open: a rate that changes, such as 100x20s,400x60s", segments.NOTATION, _profile),
    choice("arrivals", ("constant", "poisson"), "open: evenly spaced, or at random"),
    choice("engine", ("fast", "plain"), "fast: costs a quarter; plain: easy to read"),
    flag("precise", "open, fast: spin before each start, on a core of its own"),
    choice("dns", ("once", "each", "all"), "of several addresses: one; as asked; in turn"),
    whole("idle_holders", 0, 0, 10_000, "silent connections held beside the users"),
    whole("sleep_us", 0, 0, 10_000_000, "microseconds the server sleeps per request"),
    whole("spin_us", 0, 0, MOST_WORK_US, "CPU time per request, holding Python's lock"),
    whole("hash_us", 0, 0, MOST_WORK_US, "CPU time per request, without the lock"),
    whole("spin_units", 0, 0, MOST_UNITS, "the same in the server's units, in place of spin_us", on_form=False),
    whole("hash_rounds", 0, 0, MOST_UNITS, "the same in the server's rounds, in place of hash_us", on_form=False),
    whole("spinners", 0, 0, MOST_USERS, "closed: users who ask for the work; others bare echoes", on_form=False),
    choice("behind", ("none", "store", "broker"), "requests read and write a store, or send to a broker"),
    Field("services", "", "of a gateway, such as reads:6:read,waits:3:sleep=500", mixes.NOTATION, _services),
    Field("api_key", "", "http: what a gateway is shown", "printable ASCII without spaces, at most 100", _api_key),
    whole("keys", 10_000, 0, MOST_KEYS, "behind, get: keys that requests draw theirs from"),
    number("zipf", 0.0, 0, 3, "behind, get: skew of the keys, exponent of Zipf's law"),
    number("reads", 1.0, 0, 1, "store: share of requests that read; others write"),
    number("scans", 0.0, 0, 1, "store: share of reads that ask for all keys"),
    number("warmup_s", 0.0, 0, 86_400, "seconds at the start, not measured"),
    number("window_s", 0.0, 0, 86_400, "seconds measured, then it stops; 0: until Stop"),
    number("reply_timeout_s", 10.0, 0.001, 3_600, "silence of a server that has replied before", on_form=False),
    number("stop_grace_s", 1.0, 0, 5, "time for what is in flight to be answered after the stop", on_form=False),
    whole("seed", 1, 0, 2**53, "of random arrivals", on_form=False),
    Field(
        "trial_id",
        "",
        "name of the result file",
        "letters, digits, dot, underscore and hyphen, at most 200, with no dot in front",
        _trial_id,
        on_form=False,
    ),
)


def target_field(targets: Collection[str], default: str) -> Field:
    def read(text: str) -> str:
        if text not in targets:
            raise ValueError
        return text

    return Field("target", default, "server model to load", f"one of {', '.join(targets)}", read)


def with_target(targets: Collection[str], default_target: str) -> tuple[Field, ...]:
    """All fields in the order of the form."""
    return (target_field(targets, default_target), *FIELDS)


def parse(found: Mapping[str, object], targets: Collection[str], default_target: str = "") -> Options:
    """Options from text or values by name; a name that is absent takes its default. Raises OptionError."""
    values: dict[str, Any] = {}
    for field in with_target(targets, default_target):
        values[field.name] = field.parse(found.get(field.name, field.default))
    wanted = Options(**values)
    combinations.check(wanted)
    return wanted
