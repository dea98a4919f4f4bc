"""`python3 -m behind.nats` becomes a NATS server: publish and subscribe, or a work queue of JetStream.

No configuration can make a stream, only a client can. So the image was built with one there (`prepare_nats.py`), and it
is copied before the server starts: what listens has its queue. Nothing is ever written to a disk.

Source: the documentation of nats-server 2.10, by the names of its settings.
"""

import json
import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from behind.settings import USER, Common, common, given, run, whole

PORT = 4222
PAGE_PORT = 8222
DIRECTORY = Path("/tmp/data")
# The store with the stream in it, as the image has it.
PREPARED = Path("/opt/nats")

# Longer than any message of a load; no message may be longer than what is kept for one client.
_MOST_BYTES = 65_536
# Kept for a client that does not read, beyond what the kernel keeps, before it is taken to be slow and dropped.
_MOST_PENDING = 1_048_576
_WRITE_DEADLINE_S = 5
# Of the container's memory, what a stream may take: its files are in memory here, and so is its cache of them.
_SHARE_OF_MEMORY = 0.4


@dataclass(frozen=True)
class Settings:
    """`stream`: whether there is a work queue."""

    common: Common
    stream: bool


def read(environment: Mapping[str, str]) -> Settings:
    """The settings. SettingsError for a value out of bounds."""
    env = given(environment)
    return Settings(common(env), bool(whole(env, "STREAM", 0, 0, 1)))


def configuration(told: Settings) -> str:
    """The text of nats.conf, which is a superset of JSON. Pure."""
    text: dict[str, object] = {
        "listen": f"0.0.0.0:{PORT}",
        "http": f"0.0.0.0:{PAGE_PORT}",
        "server_name": USER,
        "authorization": {"user": USER, "password": told.common.password, "timeout": 5},
        "max_payload": _MOST_BYTES,
        "max_pending": _MOST_PENDING,
        "write_deadline": f"{_WRITE_DEADLINE_S}s",
        # It is stopped at the end of a trial, when all that matters has been delivered.
        "lame_duck_duration": "30s",
        "lame_duck_grace_period": "1s",
    }
    if told.stream:
        text["jetstream"] = {
            "store_dir": str(DIRECTORY),
            "max_memory_store": 0,
            "max_file_store": int(told.common.memory_bytes * _SHARE_OF_MEMORY),
        }
    return json.dumps(text, indent=2) + "\n"


def main() -> None:
    """Write what it begins with and become nats-server. SettingsError for a bad environment."""
    told = read(os.environ)
    if told.stream and not DIRECTORY.exists():
        shutil.copytree(PREPARED, DIRECTORY)
    file = Path("/tmp/nats.conf")
    file.touch(mode=0o600)
    file.write_text(configuration(told))
    # Go sees the machine's processors and not the quota it runs under.
    threads = str(max(1, int(told.common.cpus)))
    memory = f"{told.common.memory_bytes * 9 // 10}"
    os.execvpe(
        "nats-server", ["nats-server", "-c", str(file)], {**os.environ, "GOMAXPROCS": threads, "GOMEMLIMIT": memory}
    )


if __name__ == "__main__":
    sys.exit(run("nats", main))
