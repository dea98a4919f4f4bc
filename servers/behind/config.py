"""What is behind a server and how it is talked to: environment variables, read once into one frozen value."""

from collections.abc import Mapping
from typing import NamedTuple

from servers.config import ConfigError, whole

READ, WRITE, SEND = "read", "write", "send"
# By what BEHIND may say: what a request may ask of it.
KINDS: Mapping[str, tuple[str, ...]] = {
    "postgres": (READ, WRITE),
    "valkey": (READ, WRITE),
    "valkey+postgres": (READ, WRITE),
    "nats": (SEND,),
    "jetstream": (SEND,),
    "rabbitmq": (SEND,),
}

Address = tuple[str, int]


class BehindConfig(NamedTuple):
    kind: str  # one of KINDS
    write: tuple[Address, ...]  # one at most; none with a Valkey alone
    read: tuple[Address, ...]  # asked in turn
    cache: tuple[Address, ...]  # several: nodes of a cluster
    password: str  # empty: none is asked for
    pool: int  # connections of one process to one address, at most
    wait_s: float  # for one of them, at most
    ttl_s: float  # of an entry in the cache; 0: until it is written
    lock: bool  # of many that lack an entry of the cache, one fetches it
    share: float  # of the keys, from 0 to 1, that may be in the cache
    value_bytes: int


def read_behind(environment: Mapping[str, str]) -> BehindConfig | None:
    """What ``environment`` says is behind; None where BEHIND is not set. Raises ConfigError, one line."""
    env = {name: value for name, value in environment.items() if value != ""}
    kind = env.get("BEHIND", "")
    if not kind:
        return None
    if kind not in KINDS:
        raise ConfigError(f"BEHIND={kind!r}: must be one of {', '.join(KINDS)}")
    with_cache = kind.startswith("valkey")
    write = () if kind == "valkey" else _addresses(env, "BEHIND_WRITE", kind)
    if len(write) > 1:
        raise ConfigError(f"BEHIND_WRITE={env['BEHIND_WRITE']!r}: must be one host:port")
    return BehindConfig(
        kind=kind,
        write=write,
        read=_addresses(env, "BEHIND_READ", kind) if "BEHIND_READ" in env else write,
        cache=_addresses(env, "BEHIND_CACHE", kind) if with_cache else (),
        password=env.get("BEHIND_PASSWORD", ""),
        pool=whole(env, "BEHIND_POOL", 4, 1, 1_024),
        wait_s=_number(env, "BEHIND_WAIT", 1, 60),
        ttl_s=_number(env, "CACHE_TTL", 0, 86_400),
        lock=bool(whole(env, "CACHE_LOCK", 0, 0, 1)),
        share=_number(env, "CACHE_SHARE", 1, 1),
        value_bytes=whole(env, "VALUE_BYTES", 100, 0, 65_536),
    )


def _addresses(env: Mapping[str, str], name: str, kind: str) -> tuple[Address, ...]:
    if name not in env:
        raise ConfigError(f"BEHIND={kind} needs {name}: host:port")
    found: list[Address] = []
    for item in env[name].split(","):
        host, _, port = item.strip().rpartition(":")
        if not host or not (port.isascii() and port.isdecimal() and len(port) <= 5 and 1 <= int(port) <= 65_535):
            raise ConfigError(f"{name}={item.strip()!r}: must be host:port with a port from 1 to 65535")
        found.append((host, int(port)))
    return tuple(found)


def _number(env: Mapping[str, str], name: str, default: float, high: float) -> float:
    text = env.get(name, str(default))
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= high:  # also false for nan
        raise ConfigError(f"{name}={text[:40]!r}: must be a number from 0 to {high:g}")
    return value
