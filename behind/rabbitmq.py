"""`python3 -m behind.rabbitmq` becomes a RabbitMQ with one durable queue, which is there before it listens.

Its own start script makes the Erlang machine's arguments; here are only its environment and three files. Nothing is
ever written to a disk: what survives a restart of the program does not survive that of the container.

Source: the documentation of RabbitMQ 4.0, by the names of its settings.
"""

import base64
import hashlib
import json
import os
import re
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from behind.settings import USER, Common, SettingsError, common, given, run, whole

PORT = 5672
PAGE_PORT = 15692

HOME = Path("/tmp")
SCRIPT = "/usr/lib/rabbitmq/bin/rabbitmq-server"

_QUEUE = re.compile(r"[A-Za-z0-9._-]{1,100}")
# Of the container's memory: above it publishers are held back.
_SHARE_OF_MEMORY = 0.6

_TEMPLATE = """\
listeners.tcp.default = {port}
prometheus.tcp.port = {page_port}
load_definitions = {definitions}
vm_memory_high_watermark.absolute = {memory}
# Its files are in memory, which the limit above watches.
disk_free_limit.absolute = 1MB
# How old what it tells of itself may be, in milliseconds.
collect_statistics_interval = 1000
# It says at every start that it may some day tell less of itself.
deprecated_features.permit.management_metrics_collection = true
log.console = true
log.console.level = warning
"""


@dataclass(frozen=True)
class Settings:
    """`queue` is its name; `most` is how many messages it takes before it refuses more, 0: no bound."""

    common: Common
    queue: str
    most: int


def read(environment: Mapping[str, str]) -> Settings:
    """The settings. SettingsError for a value out of bounds."""
    env = given(environment)
    queue = env.get("QUEUE", "tasks")
    if not _QUEUE.fullmatch(queue):
        raise SettingsError(f"QUEUE={queue[:40]!r}: must be 1 to 100 letters, digits, dots, dashes or underscores")
    return Settings(common(env), queue, whole(env, "MAX_LENGTH", 0, 0, 10**9))


def configuration(told: Settings) -> str:
    """The text of rabbitmq.conf. Pure."""
    return _TEMPLATE.format(
        port=PORT,
        page_port=PAGE_PORT,
        definitions=HOME / "definitions.json",
        memory=int(told.common.memory_bytes * _SHARE_OF_MEMORY),
    )


def definitions(told: Settings, salt: bytes) -> dict[str, Any]:
    """What it has from the start: the user, by the salted digest of the password, and the queue. Pure."""
    digest = hashlib.sha256(salt + told.common.password.encode()).digest()
    # A publisher is told that its message was refused; by itself RabbitMQ would throw the oldest one away.
    bound = {"x-max-length": told.most, "x-overflow": "reject-publish"} if told.most else {}
    return {
        "users": [
            {
                "name": USER,
                "password_hash": base64.b64encode(salt + digest).decode(),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": [],
            }
        ],
        "vhosts": [{"name": "/"}],
        "permissions": [{"user": USER, "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}],
        "queues": [{"name": told.queue, "vhost": "/", "durable": True, "auto_delete": False, "arguments": bound}],
    }


def environment(told: Settings) -> dict[str, str]:
    """What its start script is told. Pure."""
    schedulers = max(1, int(told.common.cpus))
    # It sees the machine's processors and not the quota it runs under; and spinning while there is nothing to do would
    # use the quota up.
    erlang = f"-noinput +S {schedulers}:{schedulers} +sbwt none +sbwtdcpu none +sbwtdio none +A 1"
    return {
        "HOME": str(HOME),
        "RABBITMQ_NODENAME": "rabbit@localhost",
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_CONFIG_FILE": str(HOME / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(HOME / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(HOME / "data"),
        "RABBITMQ_LOG_BASE": str(HOME / "log"),
        "RABBITMQ_LOGS": "-",
        # Without it the script stays, and starts a second Erlang machine to stop the first.
        "RABBITMQ_ALLOW_INPUT": "1",
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": erlang,
    }


def main() -> None:
    """Write what it begins with and become the Erlang machine. SettingsError for a bad environment."""
    told = read(os.environ)
    (HOME / "rabbitmq.conf").write_text(configuration(told))
    (HOME / "definitions.json").write_text(json.dumps(definitions(told, secrets.token_bytes(4))))
    (HOME / "enabled_plugins").write_text("[rabbitmq_prometheus].\n")
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG")}
    os.execve(SCRIPT, [SCRIPT], {**kept, **environment(told)})


if __name__ == "__main__":
    sys.exit(run("rabbitmq", main))
