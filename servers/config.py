"""The server's configuration: environment variables, read once into one frozen value."""

from collections.abc import Mapping
from typing import NamedTuple

from servers.cpus import default_workers


class ConfigError(ValueError):
    """A variable has a value that is not allowed. The message is one line for the person who set it."""


class Config(NamedTuple):
    # Not a dataclass: the modules which that imports are half a megabyte that every fork would copy.
    host: str
    port: int  # 0: the kernel chooses
    workers: int  # processes of the pool models
    threads: int  # of thread-pool
    backlog: int
    max_connections: int
    max_line: int  # bytes, without the newline
    idle_timeout_s: float  # 0: never
    drain_timeout_s: float
    packet_log: bool
    allow_faults: bool  # whether !crash does what it says
    switch_interval_us: int  # 0: Python's own
    shared_counter: bool  # whether each request adds to one count of all, under a lock


def read_config(environment: Mapping[str, str], cpus: float) -> Config:
    """The configuration in ``environment``, with ``cpus`` deciding the default number of workers.

    Raises ConfigError for a value out of bounds. An empty variable counts as not set, since that is what
    ``KEY=${KEY:-}`` in a compose file passes on.
    """
    env = {name: value for name, value in environment.items() if value != ""}
    return Config(
        host=env.get("HOST", "0.0.0.0"),
        port=whole(env, "PORT", 8081, 0, 65_535),
        workers=whole(env, "WORKERS", default_workers(cpus), 1, 1_024),
        # More than there are CPUs, because requests wait; few enough for the smallest memory limit.
        threads=whole(env, "THREADS", 16, 1, 1_024),
        # Above the kernel's net.core.somaxconn the kernel silently uses that.
        backlog=whole(env, "BACKLOG", 1_024, 1, 65_535),
        max_connections=whole(env, "MAX_CONNECTIONS", 1_024, 1, 100_000),
        # Room for a payload of 64 KiB with its directives.
        max_line=whole(env, "MAX_LINE", 131_072, 16, 16_777_216),
        idle_timeout_s=_seconds(env, "IDLE_TIMEOUT", 300.0, 86_400),
        drain_timeout_s=_seconds(env, "DRAIN_TIMEOUT", 5.0, 3_600),
        packet_log=_switch(env, "PACKET_LOG"),
        allow_faults=_switch(env, "ALLOW_FAULTS"),
        switch_interval_us=whole(env, "SWITCH_INTERVAL_US", 0, 0, 10_000_000),
        shared_counter=_switch(env, "SHARED_COUNTER"),
    )


def whole(env: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    """A variable as a whole number within these bounds. Raises ConfigError."""
    text = env.get(name, str(default))
    # Nine digits hold every bound here, and keep a value of a million digits away from int().
    if not (text.isascii() and text.isdecimal() and len(text) <= 9 and low <= int(text) <= high):
        raise ConfigError(f"{name}={_shown(text)}: must be a whole number from {low} to {high}")
    return int(text)


def _seconds(env: Mapping[str, str], name: str, default: float, high: float) -> float:
    text = env.get(name, str(default))
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= high:  # also false for nan
        raise ConfigError(f"{name}={_shown(text)}: must be a number of seconds from 0 to {high:g}")
    return value


def _switch(env: Mapping[str, str], name: str) -> bool:
    text = env.get(name, "0")
    if text not in ("0", "1"):
        raise ConfigError(f"{name}={_shown(text)}: must be 0 or 1")
    return text == "1"


def _shown(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "...")
