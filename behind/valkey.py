"""`python3 -m behind.valkey` becomes a Valkey: a store or a cache by itself, or one master of a cluster.

Everything it needs is in its directory before it starts, so no second program has to tell it anything: who the other
masters are (`nodes.conf`), and the values it begins with (`dump.rdb`). Nothing is ever written to a disk.

Source: valkey.conf of Valkey 8.1, and the cluster specification of its documentation.
"""

import hashlib
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from behind import settings, valkey_file
from behind.naming import addresses, is_here
from behind.settings import USER, Common, SettingsError, common, given, run, whole

PORT = 6379
SLOTS = 16384
DIRECTORY = Path("/tmp/data")

# Of the container's memory: the rest is for its buffers, its clients and its code.
_SHARE_OF_MEMORY = 0.6
# A master that is not heard of for so long is taken to be gone.
_NODE_TIMEOUT_MS = 5_000
_NAMES_TIMEOUT_S = 10.0
# Fewer could not agree on which of them is gone.
_FEWEST_MASTERS = 3
# The other end of a master's connections to the others; Valkey's own choice.
_BUS_OFFSET = 10_000

_TEMPLATE = """\
bind * -::*
port {port}
protected-mode no
dir {directory}
dbfilename dump.rdb
# Kept in memory alone: neither snapshots nor a log.
save ""
appendonly no
shutdown-on-sigterm nosave
# It sees the machine's processors and not the quota it runs under.
io-threads {threads}
maxclients 10000
tcp-backlog 511
maxmemory {max_memory}
maxmemory-policy {policy}
user default off
user {user} on #{digest} ~* &* +@all
"""

_CLUSTER = """\
cluster-enabled yes
cluster-config-file nodes.conf
cluster-node-timeout {timeout}
# Keys of a master that is gone fail; those of the others go on.
cluster-require-full-coverage no
cluster-announce-ip {address}
"""


@dataclass(frozen=True)
class Settings:
    """`masters` are all masters of the cluster by name, this one among them; empty: it stands alone."""

    common: Common
    keys: int
    value_bytes: int
    preload: bool
    max_memory: int
    masters: tuple[str, ...]


def read(environment: Mapping[str, str]) -> Settings:
    """The settings. SettingsError for a value out of bounds."""
    env = given(environment)
    told = common(env)
    masters = settings.names(env, "MASTERS")
    if 0 < len(masters) < _FEWEST_MASTERS:
        raise SettingsError(
            f"MASTERS={' '.join(masters)!r}: must be {_FEWEST_MASTERS} names or more; empty: it stands alone"
        )
    return Settings(
        common=told,
        keys=whole(env, "KEYS", 10_000, 1, 10_000_000),
        value_bytes=whole(env, "VALUE_BYTES", 100, 0, 65_536),
        preload=bool(whole(env, "PRELOAD", 0, 0, 1)),
        max_memory=whole(env, "MAXMEMORY", int(told.memory_bytes * _SHARE_OF_MEMORY), 2**20, 2**50),
        masters=masters,
    )


def configuration(told: Settings, address: str = "") -> str:
    """The text of valkey.conf; `address` is this master's, which the others and the clients are told. Pure."""
    # A store that threw values out would lose them; a cache has to.
    filled = _TEMPLATE.format(
        port=PORT,
        directory=DIRECTORY,
        threads=max(1, int(told.common.cpus)),
        max_memory=told.max_memory,
        policy="noeviction" if told.preload else "allkeys-lru",
        user=USER,
        digest=hashlib.sha256(told.common.password.encode()).hexdigest(),
    )
    return filled + (_CLUSTER.format(timeout=_NODE_TIMEOUT_MS, address=address) if told.masters else "")


def slots_of(place: int, masters: int) -> range:
    """The slots that the master at this place has to begin with. Pure."""
    return range(SLOTS * place // masters, SLOTS * (place + 1) // masters)


def node_id(name: str) -> str:
    """What a master is called in the cluster: 40 hexadecimal digits, always the same. Pure."""
    return hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()


def nodes(names: Sequence[str], place: int, where: Mapping[str, str]) -> str:
    """The text of nodes.conf: every master with its address of `where` and its slots. Pure."""
    lines = []
    for number, name in enumerate(names):
        mine = slots_of(number, len(names))
        flags = "myself,master" if number == place else "master"
        # Each has an epoch of its own, as after an election: by it they tell whose claim to a slot is the newer one.
        lines.append(
            f"{node_id(name)} {where[name]}:{PORT}@{PORT + _BUS_OFFSET} {flags} - 0 0 {number + 1} connected"
            f" {mine.start}-{mine.stop - 1}"
        )
    return "\n".join([*lines, f"vars currentEpoch {len(names)} lastVoteEpoch 0", ""])


def values(told: Settings, place: int) -> bytes:
    """The file of the values that it begins with, of a cluster's those in the slots of this place. Pure."""
    mine = slots_of(place, len(told.masters) or 1)
    pairs = valkey_file.items(range(told.keys), told.value_bytes)
    return valkey_file.dump((key, value) for key, value in pairs if valkey_file.slot(key) in mine)


def main() -> None:
    """Write what it begins with and become valkey-server. SettingsError for a bad environment."""
    told = read(os.environ)
    DIRECTORY.mkdir(exist_ok=True)
    place, address = 0, ""
    if told.masters:
        where = addresses(told.masters, time.monotonic() + _NAMES_TIMEOUT_S)
        own = next((name for name in told.masters if is_here(where[name])), None)
        if own is None:
            raise SettingsError(f"MASTERS={' '.join(told.masters)!r}: none of them is this container")
        place, address = told.masters.index(own), where[own]
        (DIRECTORY / "nodes.conf").write_text(nodes(told.masters, place, where))
    if told.preload:
        (DIRECTORY / "dump.rdb").write_bytes(values(told, place))
    file = Path("/tmp/valkey.conf")
    file.write_text(configuration(told, address))
    os.execvp("valkey-server", ["valkey-server", str(file)])


if __name__ == "__main__":
    sys.exit(run("valkey", main))
