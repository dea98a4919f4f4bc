"""What a consumer is told: environment variables, read once into one frozen value."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

KINDS = ("nats", "jetstream", "rabbitmq")

# JetStream gives a task to another consumer after 5 s (as in behind/prepare_nats.py): all that are taken at once have
# to be done before.
_REDELIVERY_US = 5_000_000
_MOST_PREFETCH = 65_535
_WHERE = re.compile(r"(?P<host>[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?):(?P<port>[0-9]{1,5})")


class SettingsError(ValueError):
    """A variable has a value that is not allowed. The message is one line for the person who set it."""


@dataclass(frozen=True)
class Settings:
    """`task_s`: how long one task takes, asleep. `prefetch`: how many are taken at once; 0: as many as there are, of
    RabbitMQ alone."""

    kind: str
    host: str
    port: int
    password: str
    task_s: float
    prefetch: int
    queue: str
    output: str


def read(environment: Mapping[str, str]) -> Settings:
    """The settings. SettingsError, which never tells the password, for a value out of bounds.

    An empty variable counts as not set, since that is what `KEY=${KEY:-}` in a compose file passes on.
    """
    env = {name: value.strip() for name, value in environment.items() if value.strip()}
    kind = env.get("KIND", "")
    if kind not in KINDS:
        raise SettingsError(f"KIND={kind[:40]!r}: must be {', '.join(KINDS[:-1])} or {KINDS[-1]}")
    where = _WHERE.fullmatch(env.get("BROKER", ""))
    if where is None or not 1 <= int(where["port"]) <= 65_535:
        raise SettingsError(f"BROKER={env.get('BROKER', '')[:40]!r}: must be a host name, a colon and a port")
    if not env.get("BEHIND_PASSWORD"):
        raise SettingsError("BEHIND_PASSWORD: missing")
    output = env.get("OUTPUT", "")
    if not output.startswith("/"):
        raise SettingsError(f"OUTPUT={output[:40]!r}: must be the whole path of a file that can be written")
    task_us = _whole(env, "TASK_US", 0, 0, 60_000_000)
    prefetch = _whole(env, "PREFETCH", 1, 0, _MOST_PREFETCH)
    if kind == "jetstream" and not (prefetch and prefetch * task_us < _REDELIVERY_US):
        raise SettingsError(
            f"PREFETCH={prefetch}, TASK_US={task_us}: of JetStream at least 1 is taken at once, and all of them must"
            f" take less than {_REDELIVERY_US // 10**6} s, after which they are given to another"
        )
    return Settings(
        kind=kind,
        host=where["host"],
        port=int(where["port"]),
        password=env["BEHIND_PASSWORD"],
        task_s=task_us / 1e6,
        prefetch=prefetch,
        queue=env.get("QUEUE", "tasks"),
        output=output,
    )


def _whole(env: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = env.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and len(text) <= 9 and low <= int(text) <= high):
        raise SettingsError(f"{name}={text[:40]!r}: must be a whole number from {low} to {high}")
    return int(text)
