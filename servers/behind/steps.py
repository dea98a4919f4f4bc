"""What a request does with the stores and brokers behind, without any input or output: threads and loops follow it.

A generator yields a call, which is answered by its result or by a BackendError thrown in, or a number of seconds to
wait, and returns what the request is answered with instead of its echo: empty if all went well.
"""

import time
from collections.abc import Callable, Generator
from typing import Any, NamedTuple

from servers import protocol
from servers.behind.config import WRITE, BehindConfig
from servers.behind.failures import CALL_S, UNKNOWN_KEY, BackendError
from servers.behind.values import may_be_cached, value_of, version_in

# How often somebody looks whether an entry is there that another fetches.
LOOK_S = 0.005
# Longer than a fetch may take: by then whoever had the lock is gone.
LOCK_S = 4 * CALL_S

DATABASE, CACHE, BROKER = "database", "cache", "broker"


class Call(NamedTuple):
    store: str  # DATABASE, CACHE or BROKER
    method: str
    arguments: tuple[Any, ...]
    writes: bool = False  # so not for one that only answers reads


Steps = Generator[Call | float, Any, bytes]
Count = Callable[[str], object]
"""Adds one to a count by its name."""


def of(config: BehindConfig) -> Callable[[protocol.Ask, BehindConfig, Count], Steps]:
    """What is done for a request where this is behind."""
    return {"postgres": database, "valkey": store, "valkey+postgres": cache_aside}.get(config.kind, broker)


def database(ask: protocol.Ask, config: BehindConfig, count: Count) -> Steps:
    if ask.key is None:
        yield Call(DATABASE, "scan", ())
        count("scans")
        return b""
    if ask.verb == WRITE:
        yield from _write(ask.key, _version(ask), config, count)
        return b""
    found = yield Call(DATABASE, "read", (ask.key,))
    return _judged(ask, _row(ask.key, found, config), count)


def store(ask: protocol.Ask, config: BehindConfig, count: Count) -> Steps:
    """Valkey with nothing below it."""
    if ask.key is None:
        yield Call(CACHE, "size", ())
        count("scans")
        return b""
    if ask.verb == WRITE:
        value = value_of(ask.key, _version(ask), config.value_bytes)
        if not (yield Call(CACHE, "replace", (_item(ask.key), value))):
            raise _unknown(ask.key)
        count("writes")
        return b""
    value = yield Call(CACHE, "get", (_item(ask.key),))
    if value is None:
        raise _unknown(ask.key)
    return _judged(ask, version_in(value, ask.key, config.value_bytes), count)


def cache_aside(ask: protocol.Ask, config: BehindConfig, count: Count) -> Steps:
    """Valkey beside PostgreSQL: what is not in the one is read of the other and put there; a write removes it."""
    if ask.key is None:
        return (yield from database(ask, config, count))
    if ask.verb == WRITE:
        yield from _write(ask.key, _version(ask), config, count)
        yield Call(CACHE, "delete", (_item(ask.key),))
        return b""
    value = yield Call(CACHE, "get", (_item(ask.key),))
    count("misses" if value is None else "hits")
    if value is None:
        value = yield from _fetched(ask.key, config, count)
    return _judged(ask, version_in(value, ask.key, config.value_bytes), count)


def _fetched(key: int, config: BehindConfig, count: Count) -> Generator[Call | float, Any, str]:
    """The value that the cache has not, from the database, or from who was about to fetch it. Raises BackendError."""
    cached = may_be_cached(key, config.share)
    lock = f"lock:{_item(key)}"
    locked = cached and config.lock
    value: str | None
    if locked:
        until = time.monotonic() + config.wait_s
        while not (yield Call(CACHE, "acquire", (lock, LOCK_S))):
            if time.monotonic() >= until:  # whoever has it is not coming back: better twice than never
                locked = False
                break
            yield LOOK_S
            value = yield Call(CACHE, "get", (_item(key),))
            if value is not None:
                return value
    try:
        count("fetches")
        value = yield from _from_database(key, cached, config)
    except BackendError:
        if locked:
            yield Call(CACHE, "delete", (lock,))
        raise
    if locked:
        yield Call(CACHE, "delete", (lock,))
    return value


def _from_database(key: int, cached: bool, config: BehindConfig) -> Generator[Call, Any, str]:
    found = yield Call(DATABASE, "read", (key,))
    if found is None:
        raise _unknown(key)
    value = str(found[1])
    if cached:
        yield Call(CACHE, "put", (_item(key), value, config.ttl_s))
    return value


def broker(ask: protocol.Ask, _: BehindConfig, count: Count) -> Steps:
    yield Call(BROKER, "send", (f"{ask.key}:{_version(ask)}".encode(),))
    count("sends")
    return b""


def _write(key: int, version: int, config: BehindConfig, count: Count) -> Generator[Call, Any, None]:
    known = yield Call(DATABASE, "write", (key, version, value_of(key, version, config.value_bytes)), writes=True)
    if not known:
        raise _unknown(key)
    count("writes")


def _version(ask: protocol.Ask) -> int:
    return time.time_ns() // 1_000 if ask.version is None else ask.version


def _row(key: int, found: tuple[int, str] | None, config: BehindConfig) -> int | None:
    """The version of a row; None where the value is not the one that belongs to it."""
    if found is None:
        raise _unknown(key)
    version, value = found
    return version if value == value_of(key, version, config.value_bytes) else None


def _judged(ask: protocol.Ask, version: int | None, count: Count) -> bytes:
    count("reads")
    if version is None:
        count("wrong")
        return protocol.WRONG
    if version < (ask.version or 0):
        count("stale")
        return protocol.STALE
    return b""


def _item(key: int) -> str:
    return f"item:{key}"


def _unknown(key: int) -> BackendError:
    return BackendError(UNKNOWN_KEY, str(key), broken=False)
