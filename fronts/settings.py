"""What a front is told, the same for each of them: environment variables, read once into one frozen value."""

import re
import resource
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NoReturn, get_args

Balance = Literal["roundrobin", "leastconn", "source"]
BALANCES: tuple[Balance, ...] = get_args(Balance)

PORT = 8081
# For people and programs that ask how it is doing: a page, of nginx a few lines.
PAGE_PORT = 8404

# Of one that passes connections on: a client's file and a server's for each, and what it has open besides.
_FILES_OF_A_CONNECTION = 2
_OTHER_FILES = 128

_NAMES_INTERVAL_S = 0.1

# What a host may be called, so that a name is nothing but a name where it is written into a configuration.
_KEY = re.compile(r"[A-Za-z0-9._-]{1,100}")
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")


class SettingsError(ValueError):
    """A variable has a value that is not allowed. The message is one line for the person who set it."""


@dataclass(frozen=True)
class Settings:
    """Either names of servers or, with `dns`, one name that has the addresses of all of them."""

    servers: tuple[str, ...]
    spare: tuple[str, ...]
    """Servers that are not there at the start and may be told of later."""
    dns: str
    slots: int
    """How many addresses of `dns` are used at most."""
    server_port: int
    balance: Balance
    server_connections: int
    """At most so many at once to each server, further ones wait in the front; 0: no bound."""
    threads: int
    connections: int
    """Of clients, at once; further ones wait in the kernel's queue."""
    backlog: int
    """The length of that queue."""
    is_cache: bool
    """Of nginx: a cache of HTTP in place of a proxy of TCP connections."""
    routes: bool
    """Of a proxy of HTTP: each server is a service of its own, on the path of its name; the first has all others."""
    services_connections: tuple[int, ...]
    """With `routes`: at most so many at once to each of `servers`, further requests wait; 0: no bound."""
    rate_limit: float
    """Of a proxy of HTTP: how many requests per second go through; 0: all."""
    api_key: str
    """Of a proxy of HTTP: what X-Api-Key of a request has to be; empty: anything."""
    is_http: bool
    """Of HAProxy: a proxy of HTTP in place of one of TCP connections."""
    names_timeout_s: int
    """For so long at most the names of `servers` are waited for: between machines a name takes a moment to be known."""


def read(environment: Mapping[str, str]) -> Settings:
    """The settings. SettingsError for a value out of bounds, and where no server is named.

    An empty variable counts as not set, since that is what `KEY=${KEY:-}` in a compose file passes on.
    """
    env = {name: value.strip() for name, value in environment.items() if value.strip()}
    servers, spare = _names(env, "SERVERS"), _names(env, "SPARE_SERVERS")
    dns = " ".join(_names(env, "SERVERS_DNS"))
    if bool(servers) == bool(dns) or " " in dns:
        raise SettingsError(
            f"SERVERS={env.get('SERVERS', '')!r}, SERVERS_DNS={dns!r}: one of them must be set, SERVERS to the names of"
            " the servers with spaces between, or SERVERS_DNS to one name that has the addresses of all"
        )
    if twice := sorted({name for name in (*servers, *spare) if (*servers, *spare).count(name) > 1}):
        raise SettingsError(f"SERVERS, SPARE_SERVERS: {', '.join(twice)} is there twice; must be different names")
    balance = env.get("BALANCE", "roundrobin")
    if balance not in BALANCES:
        raise SettingsError(f"BALANCE={balance[:40]!r}: must be {', '.join(BALANCES[:-1])} or {BALANCES[-1]}")
    if (key := env.get("API_KEY", "")) and not _KEY.fullmatch(key):
        raise SettingsError("API_KEY: must be letters, digits, dots, dashes and underscores, at most 100")
    routes = switch(env, "ROUTES")
    if routes and not servers:
        raise SettingsError("ROUTES='on': SERVERS must name the services")
    bounds = env.get("SERVICES_MAXCONN", " ".join("0" for _ in servers)).split()
    if len(bounds) != len(servers) or not all(re.fullmatch(r"[0-9]{1,6}", one) for one in bounds):
        raise SettingsError(f"SERVICES_MAXCONN={' '.join(bounds)[:40]!r}: must be a whole number for each of SERVERS")
    return Settings(
        servers=servers,
        spare=spare,
        dns=dns,
        slots=whole(env, "SLOTS", 16, 1, 256),
        server_port=whole(env, "SERVER_PORT", PORT, 1, 65_535),
        balance=balance,
        server_connections=whole(env, "SERVER_MAXCONN", 0, 0, 100_000),
        threads=whole(env, "THREADS", 1, 1, 64),
        # Each takes two open files, and an engine may have a limit of 20,000 for a container.
        connections=whole(env, "MAXCONN", 8_000, 1, 100_000),
        # The servers' own default. Above the kernel's net.core.somaxconn the kernel silently uses that.
        backlog=whole(env, "BACKLOG", 1_024, 1, 65_535),
        is_cache=switch(env, "CACHE"),
        routes=routes,
        services_connections=tuple(map(int, bounds)),
        rate_limit=_rate(env, "RATE_LIMIT"),
        api_key=key,
        is_http=switch(env, "HTTP"),
        names_timeout_s=whole(env, "NAMES_TIMEOUT", 0, 0, 600),
    )


def write(program: str, configuration: Callable[[Settings], str], environment: Mapping[str, str]) -> int:
    """Print the configuration that follows from the environment; one line on standard error, and 2, where none does."""
    try:
        settings = read(environment)
        check_files(settings.connections, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        print(configuration(settings), end="")
        wait_for_names(settings.servers, settings.names_timeout_s)
    except SettingsError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 2
    return 0


def check_tcp(settings: Settings) -> None:
    """SettingsError for what only a front can that reads requests."""
    if settings.routes:
        refuse("ROUTES", "on", "must be off: a proxy of TCP connections sees no paths")
    if settings.rate_limit:
        refuse("RATE_LIMIT", f"{settings.rate_limit:g}", "must be 0: a proxy of TCP connections sees no requests")
    if settings.api_key:
        refuse("API_KEY", "...", "must be empty: a proxy of TCP connections sees no headers")


def wait_for_names(names: Sequence[str], timeout_s: float) -> None:
    """Return once every name has an address, by this many seconds in any case: then the front says what it lacks."""
    deadline = time.monotonic() + timeout_s
    for name in names:
        while time.monotonic() < deadline and not _has_address(name):
            time.sleep(_NAMES_INTERVAL_S)


def _has_address(name: str) -> bool:
    try:
        return bool(socket.getaddrinfo(name, None))
    except OSError:
        return False


def check_files(connections: int, most_files: int) -> None:
    """SettingsError where so many connections need more open files than there may be. Pure.

    Both fronts raise their own limit as far as they may; what they lack beyond that would be a ceiling nobody sees.
    """
    needed = connections * _FILES_OF_A_CONNECTION + _OTHER_FILES
    if most_files != resource.RLIM_INFINITY and needed > most_files:
        allowed = (most_files - _OTHER_FILES) // _FILES_OF_A_CONNECTION
        raise SettingsError(
            f"MAXCONN={connections}: needs {needed} open files, and this container's limit is {most_files}: allowed is"
            f" at most {max(allowed, 0)}, or a higher limit of the container engine (`nofile`)"
        )


def refuse(variable: str, value: object, instead: str) -> NoReturn:
    """For what one front can be told and another cannot."""
    raise SettingsError(f"{variable}={value!r}: {instead}")


def _names(env: Mapping[str, str], variable: str) -> tuple[str, ...]:
    names = tuple(env.get(variable, "").split())
    for name in names:
        if not _NAME.fullmatch(name):
            raise SettingsError(f"{variable}: {name[:40]!r} must be a host name: letters, digits, dots and dashes")
    return names


def switch(env: Mapping[str, str], name: str) -> bool:
    """Whether a variable is `on`; it is off where it is not set. SettingsError."""
    if (text := env.get(name, "off")) not in ("on", "off"):
        raise SettingsError(f"{name}={text[:40]!r}: must be on or off")
    return text == "on"


def _rate(env: Mapping[str, str], name: str) -> float:
    text = env.get(name, "0")
    if not re.fullmatch(r"[0-9]{1,7}(\.[0-9]{1,9})?", text) or not (text == "0" or 1 <= float(text) <= 1_000_000):
        raise SettingsError(f"{name}={text[:40]!r}: must be 0, or requests per second from 1 to 1000000")
    return float(text)


def whole(env: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    """A variable as a whole number within these bounds. SettingsError."""
    text = env.get(name, str(default))
    # Nine digits hold every bound here, and keep a value of a million digits away from int().
    if not (text.isascii() and text.isdecimal() and len(text) <= 9 and low <= int(text) <= high):
        raise SettingsError(f"{name}={text[:40]!r}: must be a whole number from {low} to {high}")
    return int(text)
