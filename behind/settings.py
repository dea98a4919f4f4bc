"""What all parts are told alike: environment variables, read once, bounds on every one."""

import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

# The name of the one user, and of the database where there is one.
USER = "threadmill"

# What a host may be called, so that a name is nothing but a name where it is written into a configuration.
_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?")
# Likewise of a password: nothing that a configuration, a connection string or a shell would read as its own.
_PASSWORD = re.compile(r"[A-Za-z0-9_-]{8,128}")


class SettingsError(ValueError):
    """A variable has a value that is not allowed. The message is one line for the person who set it."""


@dataclass(frozen=True)
class Common:
    """Of every part. `password` of the user `threadmill`; `cpus` is the quota, as a number of processors."""

    password: str
    cpus: float
    memory_bytes: int


def common(env: Mapping[str, str]) -> Common:
    """BEHIND_PASSWORD, CPUS and MEMORY_BYTES. SettingsError, which never tells the password, for a bad one."""
    return Common(
        password=password(env),
        cpus=number(env, "CPUS", 1.0, 0.01, 1024.0),
        memory_bytes=whole(env, "MEMORY_BYTES", 128 * 2**20, 16 * 2**20, 2**50),
    )


def given(environment: Mapping[str, str]) -> dict[str, str]:
    """The environment without what is empty, since that is what `KEY=${KEY:-}` in a compose file passes on."""
    return {name: value.strip() for name, value in environment.items() if value.strip()}


def password(env: Mapping[str, str]) -> str:
    """BEHIND_PASSWORD."""
    text = env.get("BEHIND_PASSWORD", "")
    if not _PASSWORD.fullmatch(text):
        what = "missing" if not text else "not one"
        raise SettingsError(f"BEHIND_PASSWORD: {what}; must be 8 to 128 letters, digits, dashes or underscores")
    return text


def names(env: Mapping[str, str], variable: str) -> tuple[str, ...]:
    """Host names with spaces between; none where the variable is not set."""
    found = tuple(env.get(variable, "").split())
    for name in found:
        if not _NAME.fullmatch(name):
            raise SettingsError(f"{variable}: {name[:40]!r} must be a host name: letters, digits, dots and dashes")
    if twice := sorted({name for name in found if found.count(name) > 1}):
        raise SettingsError(f"{variable}: {', '.join(twice)} is there twice; must be different names")
    return found


def host(env: Mapping[str, str], variable: str) -> str:
    """One host name that has to be given."""
    found = names(env, variable)
    if len(found) != 1:
        raise SettingsError(f"{variable}={env.get(variable, '')[:40]!r}: must be one host name")
    return found[0]


def one_of(env: Mapping[str, str], variable: str, default: str, allowed: tuple[str, ...]) -> str:
    """One of these words."""
    text = env.get(variable, default)
    if text not in allowed:
        raise SettingsError(f"{variable}={text[:40]!r}: must be {', '.join(allowed[:-1])} or {allowed[-1]}")
    return text


def whole(env: Mapping[str, str], variable: str, default: int, low: int, high: int) -> int:
    """A whole number within bounds, both of them allowed."""
    text = env.get(variable, str(default))
    # As many digits hold every bound here, and keep a value of a million digits away from int().
    if not (text.isascii() and text.isdecimal() and len(text) <= 18 and low <= int(text) <= high):
        raise SettingsError(f"{variable}={text[:40]!r}: must be a whole number from {low} to {high}")
    return int(text)


def number(env: Mapping[str, str], variable: str, default: float, low: float, high: float) -> float:
    """A number within bounds, both of them allowed."""
    text = env.get(variable, str(default))
    try:
        value = float(text) if len(text) <= 40 else float("nan")
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise SettingsError(f"{variable}={text[:40]!r}: must be a number from {low:g} to {high:g}")
    return value


def run(program: str, body: Callable[[], None]) -> int:
    """Run the body, which becomes the program and so does not return; one line on standard error, and 2, for a value
    that is not allowed."""
    try:
        body()
    except SettingsError as error:
        print(f"{program}: {error}", file=sys.stderr)
        return 2
    return 0
