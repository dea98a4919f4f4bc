"""What a request asks of the server and who asks, in words for who has not seen a sweep file. Pure."""

from collections.abc import Sequence

from testbed.plan import behind, behind_values, services
from testbed.plan.profile import STEADY, label
from testbed.report.source import Row
from testbed.report.view import duration, percent, size

# From this many times as long the one hides the other.
MOSTLY = 3


def kind(row: Row) -> str:
    """The kind of work, in a few words."""
    if _services(row):
        return "requests to several services"
    wait, held, free = (row.get(name) for name in ("sleep_us", "spin_us", "hash_us"))
    if held is None or free is None:
        return "work of a length that is not known"
    compute = held + free
    wait = wait or 0
    if not wait and not compute:
        return _KINDS_BEHIND.get(_behind(row), "no work but the echo")
    if wait >= MOSTLY * compute:
        return "work that mostly waits"
    if compute >= MOSTLY * wait:
        return "work that mostly computes"
    return "work that waits and computes"


_KINDS_BEHIND = {"store": "reads and writes of a store", "broker": "messages to a broker"}


def _behind(row: Row) -> str:
    """`store`, `broker`, or empty with nothing behind the servers."""
    return behind_values.kind(row.get("behind") or behind.NONE)


def _asked_behind(row: Row) -> str:
    """What a request asks of what is behind the server."""
    if _behind(row) == "broker":
        return "sends a message to a broker"
    reads, scans = row.get("reads"), row.get("scans")
    if reads is None or scans is None:
        return "reads or writes a value in a store"
    every = f", {percent(scans)} of the reads over all keys" if scans else ""
    return f"reads a value of a store, or writes one ({percent(reads)} of requests read{every})"


def brief(row: Row) -> str:
    """What a request asks for in numbers, such as `waits 5 ms, computes 500 µs`; empty for a bare echo."""
    names = (("sleep_us", "waits {}"), ("spin_us", "computes {}"), ("hash_us", "computes {} without the lock"))
    return ", ".join(shape.format(duration(row[name])) for name, shape in names if row.get(name))


def request(row: Row) -> str:
    """What the server does for one request."""
    if several := _services(row):
        return _to_services(row, several)
    wait, held, free = (row.get(name) for name in ("sleep_us", "spin_us", "hash_us"))
    gets = row.get("method") == "get"
    parts = []
    if _behind(row):
        parts.append("reads its value in a store" if gets else _asked_behind(row))
    if wait:
        parts.append(f"waits {duration(wait)} without using a CPU, as for a database or another service")
    if held:
        parts.append(
            f"computes for {duration(held)} of CPU time holding Python's interpreter lock, so that of the threads of "
            "one process only one computes at a time"
        )
    if free:
        parts.append(
            f"computes for {duration(free)} of CPU time without that lock, so that threads of one process can compute "
            "side by side"
        )
    if held is None or free is None:
        parts.append("computes for a time that was not calibrated")
    if gets:
        return _item(row, parts)
    sent = "body" if row.get("protocol") == "http" else "line"
    work = (
        ", and ".join(parts) if parts else f"sends the {sent} back at once: what is measured is the cost of the model"
    )
    payload = row.get("payload_bytes")
    return f"The server {work}. {'' if payload is None else f'A request carries {size(payload)}. '}".strip()


def _services(row: Row) -> tuple[services.Service, ...]:
    """Those behind a gateway; none of one."""
    return services.of_text(row.get("services") or services.NONE)


def _to_services(row: Row, parts: Sequence[services.Service]) -> str:
    """Which services requests go to, and what each does for one of its own."""
    every = sum(part.share for part in parts)
    told = "; ".join(f"{part.name} ({part.share / every:.3g} of them) {_of_service(row, part)}" for part in parts)
    payload = row.get("payload_bytes")
    carries = "" if payload is None else f" A request carries {size(payload)}."
    return f"Each request goes to one of {len(parts)} services, by its path: {told}.{carries}"


def _of_service(row: Row, part: services.Service) -> str:
    asked = {"sleep_us": part.sleep_us, "spin_us": part.spin_us, "hash_us": part.hash_us}
    told = brief({**row, **{name: us for name, us in asked.items() if us is not None}})
    return " and ".join([*(["reads a value in a store"] if part.reads else []), told or "sends the body back"])


def _item(row: Row, parts: list[str]) -> str:
    """What a request for an item asks for, and what the server does for it."""
    keys, zipf, payload = (row.get(name) for name in ("keys", "zipf", "payload_bytes"))
    which = "an item" if keys is None else "the one item" if keys == 1 else f"one of {keys:,} items"
    drawn = f", drawn by Zipf's law of exponent {zipf:g}" if zipf and keys != 1 else ""
    long = "" if payload is None else f" of {size(payload)}"
    work = ", and ".join(parts) if parts else "makes it of its address: what is measured is the cost of the model"
    return f"A request gets {which}{long}{drawn}. The server {work}."


def protocol(row: Row) -> str:
    """What load and server speak, where it is not lines."""
    if row.get("protocol") != "http":
        return ""
    cached = row.get("cache_control") or "none"
    told = "" if cached == "none" else f" Replies to GET and HEAD say Cache-Control: {cached}."
    is_what = "a GET" if row.get("method") == "get" else "a POST, and its reply has the same body"
    return f"Load and server speak HTTP/1.1: a request is {is_what}.{told}"


def connection(row: Row) -> str:
    """How long a connection lasts, and what that brings to light."""
    value = str(row.get("connection"))
    if value == "persistent":
        return "Each user keeps one connection, so what a model pays for a new connection does not show."
    if value == "per-request":
        return (
            "Every request comes on a new connection, so making a thread or a process for each connection is paid "
            "with every request."
        )
    if value.isdigit():
        return (
            f"A user makes a new connection after every {value} requests: a model that serves one connection at a time "
            "makes the others wait for that long, and making a thread or a process is paid once in that many requests."
        )
    return ""


def load(row: Row) -> str:
    """Who asks, and when."""
    users, idle = row.get("users"), row.get("idle_holders")
    rest = f" Besides, {idle:,} connections stay open and silent." if idle else ""
    if row.get("mode") == "open":
        rate, arrivals = row.get("rate_rps"), row.get("arrivals")
        spread = "at random moments (Poisson)" if arrivals == "poisson" else "at even intervals"
        if (profile := row.get("profile") or STEADY) != STEADY:
            mean = "" if rate is None else f", {rate:,.6g} requests/s in the mean"
            return f"Open loop: the rate follows {label(profile)}{mean}; requests come {spread}.{rest}"
        known = "a fixed number of" if rate is None else f"{rate:,.6g}"
        return f"Open loop: {known} requests/s come {spread}, whether or not earlier ones are answered.{rest}"
    if row.get("mode") in ("capacity", "relative"):
        return f"Open loop: the rate of requests was searched for.{rest}"
    think = row.get("think_us") or 0
    pause = f"after a pause of {duration(think)}" if think else "at once"
    number = "users" if users is None else f"{users} user{'s' if users != 1 else ''}"
    kinds = f" {few} of them ask for the work, the others send bare echoes." if (few := row.get("spinners")) else ""
    return f"Closed loop: {number}, each of which asks again {pause} when it is answered.{kinds}{rest}"


def asked(row: Row) -> str:
    """What a request asks and how it comes, without who asks when."""
    return " ".join(part for part in (request(row), protocol(row), connection(row)) if part)


def describe(row: Row) -> str:
    """All of it, in whole sentences."""
    return f"{asked(row)} {load(row)}"
