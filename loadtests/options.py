"""What a run can be asked for: names, defaults, bounds and help, for the command line, the web form and the workers."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from loadtests import mixes, profiles, segments
from loadtests.wire.protocols import METHODS, PROTOCOLS

Value = str | int | float | bool


class OptionError(ValueError):
    """One line: which field, what was found, what is allowed."""


@dataclass(frozen=True)
class Field:
    name: str
    default: Value
    help: str
    """Short: the web form writes it into the field's frame."""
    allowed: str
    read: Callable[[str], Value]
    """Raises ValueError for what is not allowed."""
    on_form: bool = True
    choices: tuple[str, ...] = ()
    """Not empty: a drop-down."""

    def parse(self, found: object) -> Value:
        """Raises OptionError."""
        text = str(found).strip()
        try:
            return self.read(text)
        except OptionError:
            raise
        except ValueError:
            raise OptionError(f"{self.name}: {self.allowed}, not {_shown(text)}") from None


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")


def _choice(name: str, choices: tuple[str, ...], explanation: str) -> Field:
    """The first is the default."""

    def read(text: str) -> str:
        if text not in choices:
            raise ValueError
        return text

    return Field(name, choices[0], explanation, " or ".join(choices), read, choices=choices)


def _whole(name: str, default: int, lowest: int, highest: int, explanation: str, on_form: bool = True) -> Field:
    def read(text: str) -> int:
        value = int(text)
        if not lowest <= value <= highest:
            raise ValueError
        return value

    return Field(name, default, explanation, f"a whole number from {lowest} to {highest}", read, on_form)


def _number(name: str, default: float, lowest: float, highest: float, explanation: str, on_form: bool = True) -> Field:
    def read(text: str) -> float:
        value = float(text)
        if not (math.isfinite(value) and lowest <= value <= highest):
            raise ValueError
        return value

    return Field(name, default, explanation, f"a number from {lowest:g} to {highest:g}", read, on_form)


def _flag(name: str, explanation: str) -> Field:
    """Off unless asked for."""

    def read(text: str) -> bool:
        if text.lower() not in ("true", "false"):
            raise ValueError
        return text.lower() == "true"

    return Field(name, False, explanation, "true or false", read)


MOST_WORK_US = 10_000_000
MOST_UNITS = 100_000_000
"""The bounds of the protocol's !spin and !hash."""

MOST_KEYS = 1_000_000
# A million took 0.7 s on a quiet core, and 2.8 on a busy one.
_TABLE_S_PER_KEY = 4e-6
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
    _choice("protocol", PROTOCOLS, "line: a line is echoed; http: the body of a POST"),
    _choice("method", METHODS, "http: post, an echo of its body; get, items by their keys"),
    _choice("mode", ("closed", "open"), "closed: users wait for replies; open: a rate"),
    Field(
        "connection",
        "persistent",
        "persistent, per-request, or requests on each",
        f"persistent, per-request or a whole number of requests from 1 to {MOST_REQUESTS_PER_CONNECTION}",
        _connection,
    ),
    _whole("payload_bytes", 64, 1, 65536, "size of a request, 1 to 65536"),
    _number("think_ms", 0.0, 0, 3_600_000, "closed: milliseconds a user pauses between requests"),
    _number("rate", 0.0, 0, 1_000_000, "open: requests per second over all workers"),
    # Locust has a field `profile` of its own, the name of a group of runs.
    Field("load_profile", "", "open: a rate that changes, such as 100x20s,400x60s", segments.NOTATION, _profile),
    _choice("arrivals", ("constant", "poisson"), "open: evenly spaced, or at random"),
    _choice("engine", ("fast", "plain"), "fast: costs a quarter; plain: easy to read"),
    _flag("precise", "open, fast: spin before each start, on a core of its own"),
    _choice("dns", ("once", "each", "all"), "of several addresses: one; as asked; in turn"),
    _whole("idle_holders", 0, 0, 10_000, "silent connections held beside the users"),
    _whole("sleep_us", 0, 0, 10_000_000, "microseconds the server sleeps per request"),
    _whole("spin_us", 0, 0, MOST_WORK_US, "CPU time per request, holding Python's lock"),
    _whole("hash_us", 0, 0, MOST_WORK_US, "CPU time per request, without the lock"),
    _whole("spin_units", 0, 0, MOST_UNITS, "the same in the server's units, in place of spin_us", on_form=False),
    _whole("hash_rounds", 0, 0, MOST_UNITS, "the same in the server's rounds, in place of hash_us", on_form=False),
    _whole("spinners", 0, 0, MOST_USERS, "closed: users who ask for the work; others bare echoes", on_form=False),
    _choice("behind", ("none", "store", "broker"), "requests read and write a store, or send to a broker"),
    Field("services", "", "of a gateway, such as reads:6:read,waits:3:sleep=500", mixes.NOTATION, _services),
    Field("api_key", "", "http: what a gateway is shown", "printable ASCII without spaces, at most 100", _api_key),
    _whole("keys", 10_000, 0, MOST_KEYS, "behind, get: keys that requests draw theirs from"),
    _number("zipf", 0.0, 0, 3, "behind, get: skew of the keys, exponent of Zipf's law"),
    _number("reads", 1.0, 0, 1, "store: share of requests that read; others write"),
    _number("scans", 0.0, 0, 1, "store: share of reads that ask for all keys"),
    _number("warmup_s", 0.0, 0, 86_400, "seconds at the start, not measured"),
    _number("window_s", 0.0, 0, 86_400, "seconds measured, then it stops; 0: until Stop"),
    _number("reply_timeout_s", 10.0, 0.001, 3_600, "silence of a server that has replied before", on_form=False),
    _number("stop_grace_s", 1.0, 0, 5, "time for what is in flight to be answered after the stop", on_form=False),
    _whole("seed", 1, 0, 2**53, "of random arrivals", on_form=False),
    Field(
        "trial_id",
        "",
        "name of the result file",
        "letters, digits, dot, underscore and hyphen, at most 200, with no dot in front",
        _trial_id,
        on_form=False,
    ),
)


@dataclass(frozen=True)
class Options:
    """Checked options of one run."""

    target: str
    protocol: str
    method: str
    mode: str
    connection: str
    payload_bytes: int
    think_ms: float
    rate: float
    load_profile: str
    """Empty: the rate does not change."""
    arrivals: str
    engine: str
    precise: bool
    dns: str
    idle_holders: int
    sleep_us: int
    spin_us: int
    hash_us: int
    spin_units: int
    """What `spin_us` comes to on the target (calibrate.in_units), or what was asked for in its place."""
    hash_rounds: int
    spinners: int
    """0: all users ask for the work."""
    behind: str
    services: str
    """Empty: there is one, and no path to it."""
    api_key: str
    keys: int
    zipf: float
    reads: float
    scans: float
    warmup_s: float
    window_s: float
    reply_timeout_s: float
    stop_grace_s: float
    seed: int
    trial_id: str

    @property
    def open_loop(self) -> bool:
        return self.mode == "open"

    @property
    def preparation_s(self) -> float:
        """What a worker may take to get ready, so that nobody begins before: a table of all keys for Zipf's law."""
        return self.keys * _TABLE_S_PER_KEY if self.zipf else 0.0

    @property
    def gets(self) -> bool:
        """Whether requests are GETs of items, which a cache may answer."""
        return self.method == "get"

    @property
    def parts(self) -> tuple[mixes.Part, ...]:
        """What goes to each service; empty: there is one."""
        return mixes.parse(self.services)

    @property
    def writes(self) -> bool:
        """Whether requests may write to a store."""
        return self.behind == "store" and self.reads < 1 and not self.services

    @property
    def profile(self) -> profiles.Profile | None:
        """None: the rate does not change."""
        return profiles.parse(self.load_profile) if self.load_profile else None

    @property
    def requests_per_connection(self) -> int | None:
        """None: the connection is kept for good."""
        if self.connection == "persistent":
            return None
        return 1 if self.connection == "per-request" else int(self.connection)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def target_field(targets: Collection[str], default: str) -> Field:
    def read(text: str) -> str:
        if text not in targets:
            raise ValueError
        return text

    return Field("target", default, "server model to load", f"one of {', '.join(targets)}", read)


def fields(targets: Collection[str], default_target: str) -> tuple[Field, ...]:
    """All fields in the order of the form."""
    return (target_field(targets, default_target), *FIELDS)


def parse(found: Mapping[str, object], targets: Collection[str], default_target: str = "") -> Options:
    """Options from text or values by name; a name that is absent takes its default. Raises OptionError."""
    values: dict[str, Any] = {}
    for field in fields(targets, default_target):
        values[field.name] = field.parse(found.get(field.name, field.default))
    wanted = Options(**values)
    _check_combination(wanted)
    return wanted


def too_few_users(wanted: Options, users: int, workers: int) -> str:
    """Why so many users cannot make this load on so many workers; empty when they can."""
    if wanted.open_loop and users < workers:
        return f"{users} users for {workers} workers: mode open shares the rate equally, so each worker needs one"
    if wanted.spinners and users <= wanted.spinners:
        return f"{users} users of whom {wanted.spinners} ask for the work: somebody has to send the bare echoes"
    # A key is written by one worker, and by one request at a time: whoever reads it then knows what must be there.
    if wanted.writes and wanted.keys // workers < -(-users // workers):
        return (
            f"{wanted.keys} keys for {users} users of {workers} workers: requests that write need a key for each user"
        )
    return ""


def _check_combination(wanted: Options) -> None:
    """What belongs to the other mode was meant to have an effect, so it is refused rather than ignored."""
    if wanted.open_loop:
        if not wanted.rate and not wanted.load_profile:
            raise OptionError("rate: mode open needs requests per second above 0, not 0")
        _check_profile(wanted)
        if wanted.think_ms:
            raise OptionError(f"think_ms: mode open has no think time, so 0, not {wanted.think_ms:g}")
    else:
        if wanted.rate:
            raise OptionError(f"rate: mode closed has none, so 0, not {wanted.rate:g}; or choose mode open")
        if wanted.load_profile:
            raise OptionError(f"load_profile: {_shown(wanted.load_profile)} needs mode open")
        if wanted.arrivals != "constant":
            raise OptionError(f"arrivals: {wanted.arrivals} needs mode open")
    _check_spinners(wanted)
    _check_method(wanted)
    _check_gateway(wanted)
    _check_behind(wanted)
    if wanted.precise and not (wanted.open_loop and wanted.engine == "fast"):
        raise OptionError("precise: true needs mode open and engine fast")


def _check_spinners(wanted: Options) -> None:
    if not wanted.spinners:
        return
    if wanted.open_loop:
        raise OptionError(f"spinners: {wanted.spinners} needs mode closed: in an open loop whoever is idle sends")
    if wanted.behind != "none" or wanted.services or wanted.gets:
        raise OptionError(f"spinners: {wanted.spinners} needs behind none, method post and no services")


def _check_method(wanted: Options) -> None:
    if not wanted.gets:
        return
    if wanted.protocol != "http":
        raise OptionError(f"method: get needs protocol http, not {wanted.protocol}")
    if not wanted.keys:
        raise OptionError("keys: at least 1 with method get, not 0")
    if wanted.behind == "broker":
        raise OptionError("method: post with a broker behind, not get: a message is sent once, and no item")
    if wanted.writes or wanted.scans:
        found = f"reads {wanted.reads:g} and scans {wanted.scans:g}"
        raise OptionError(f"method: get asks for items by their keys, so reads 1 and scans 0, not {found}")


def _check_gateway(wanted: Options) -> None:
    for name, found in (("services", wanted.services), ("api_key", wanted.api_key)):
        if found and wanted.protocol != "http":
            raise OptionError(f"{name}: {_shown(found)} needs protocol http, not {wanted.protocol}")
    if not wanted.services:
        return
    if wanted.gets:
        raise OptionError("method: post with services, not get")
    reading = [part.name for part in wanted.parts if part.reads]
    if reading and wanted.behind != "store":
        raise OptionError(f"services: {reading[0]} reads, which needs behind store, not {wanted.behind}")
    if wanted.behind == "broker":
        raise OptionError("services: with a broker behind there are none")


def _check_behind(wanted: Options) -> None:
    if wanted.behind == "none":
        if wanted.zipf and not wanted.gets:
            raise OptionError(f"zipf: nothing is behind, so 0, not {wanted.zipf:g}")
    elif not wanted.keys:
        raise OptionError(f"keys: at least 1 with a {wanted.behind} behind, not 0")
    if wanted.behind != "store":
        if wanted.reads != 1:
            raise OptionError(f"reads: {wanted.reads:g} needs behind store")
        if wanted.scans:
            raise OptionError(f"scans: {wanted.scans:g} needs behind store")


def _check_profile(wanted: Options) -> None:
    profile = wanted.profile
    if profile is None:
        return
    if wanted.rate:
        raise OptionError(f"rate: load_profile says the rates, so 0, not {wanted.rate:g}")
    if wanted.window_s and profile.length_s > wanted.window_s:
        raise OptionError(
            f"load_profile: at most as long as the window, {wanted.window_s:g} s, not {profile.length_s:g} s"
        )
    if not profile.highest:
        raise OptionError("load_profile: a rate above 0 somewhere, not 0 throughout")
