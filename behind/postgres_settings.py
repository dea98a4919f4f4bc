"""What a PostgreSQL is told, whatever its role: environment variables, read once into one frozen value."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from behind.settings import SettingsError, common, given, host, names, one_of, whole

Role = Literal["primary", "standby", "shard", "router"]
ROLES: tuple[Role, ...] = get_args(Role)
Commit = Literal["on", "remote_apply"]

PORT = 5432
MEBIBYTE = 2**20

_LEAST_MEMORY_BYTES = 96 * MEBIBYTE
# How much of the memory what for: its own cache; data, which are files in memory; what is written ahead, likewise.
_CACHE_SHARE, _DATA_SHARE, _AHEAD_SHARE = 1 / 8, 1 / 4, 1 / 16
# The empty cluster's files and the processes that are always there.
_ALWAYS_BYTES = 40 * MEBIBYTE
# Of the process of one connection by itself, its catalogue cache and the cached plans of these few functions included.
_CONNECTION_BYTES = 2 * MEBIBYTE
_MOST_CONNECTIONS = 200
_LEAST_CONNECTIONS = 10
# Of a row beside its value: its header, key and version, its line in the index, and room to write it anew.
_ROW_BYTES = 100
_ROOM_FOR_CHANGES = 1.5
# Of shards: PL/Proxy takes the low bits of a key's hash.
_SHARDS = (1, 2, 4, 8, 16)


@dataclass(frozen=True)
class Settings:
    role: Role
    password: str
    memory_bytes: int
    primary: str
    """Whom a standby follows; empty for the others. `name` is what it calls itself there."""
    name: str
    shards: tuple[str, ...]
    """Whom a router sends queries on to, in the order of the parts of the keys they hold."""
    shard: int
    shards_count: int
    keys: int
    value_bytes: int
    commit: Commit
    standbys: int
    """As many as a commit waits for, where it waits for them to have applied it: standby-1 and so on."""
    read_cost_us: int

    @property
    def shared_buffers_bytes(self) -> int:
        return int(self.memory_bytes * _CACHE_SHARE)

    @property
    def ahead_bytes(self) -> int:
        """How much of what is written ahead is kept for standbys, and may be there between two checkpoints."""
        return max(4 * MEBIBYTE, int(self.memory_bytes * _AHEAD_SHARE))

    @property
    def connections(self) -> int:
        """Of clients, as many as there is memory for besides."""
        rest = self.memory_bytes * (1 - _CACHE_SHARE - _AHEAD_SHARE) - _ALWAYS_BYTES - self.data_bytes
        return max(_LEAST_CONNECTIONS, min(_MOST_CONNECTIONS, int(rest / _CONNECTION_BYTES)))

    @property
    def data_bytes(self) -> int:
        """About what its rows take."""
        rows = 0 if self.role == "router" else self.keys / self.shards_count
        return int(rows * (self.value_bytes + _ROW_BYTES) * _ROOM_FOR_CHANGES)


def read(environment: Mapping[str, str]) -> Settings:
    """The settings. SettingsError for a value out of bounds, and where a role lacks what it needs."""
    env = given(environment)
    role: Role = one_of(env, "ROLE", "primary", ROLES)  # type: ignore[assignment]
    both = common(env)
    if both.memory_bytes < _LEAST_MEMORY_BYTES:
        raise SettingsError(f"MEMORY_BYTES={both.memory_bytes}: must be {_LEAST_MEMORY_BYTES} at least for PostgreSQL")
    shards_count = whole(env, "SHARDS_COUNT", 1, 1, max(_SHARDS))
    shards = names(env, "SHARDS")
    for variable, count in (("SHARDS_COUNT", shards_count), ("SHARDS", len(shards))):
        if count not in _SHARDS and (count or role == "router"):
            raise SettingsError(f"{variable}: {count} of them; must be a power of two, 1 to {max(_SHARDS)}")
    found = Settings(
        role=role,
        password=both.password,
        memory_bytes=both.memory_bytes,
        primary=host(env, "PRIMARY") if role == "standby" else "",
        name=host({"STANDBY": "standby-1", **env}, "STANDBY") if role == "standby" else "",
        shards=shards,
        shard=whole(env, "SHARD", 0, 0, shards_count - 1),
        shards_count=shards_count,
        keys=whole(env, "KEYS", 10_000, 1, 100_000_000),
        value_bytes=whole(env, "VALUE_BYTES", 100, 0, 65_536),
        commit=one_of(env, "COMMIT", "on", get_args(Commit)),  # type: ignore[arg-type]
        standbys=whole(env, "STANDBYS", 0, 0, 16),
        read_cost_us=whole(env, "READ_COST_US", 0, 0, 10_000_000),
    )
    if found.data_bytes > found.memory_bytes * _DATA_SHARE:
        raise SettingsError(
            f"KEYS={found.keys}, VALUE_BYTES={found.value_bytes}: take about {found.data_bytes // MEBIBYTE} MiB, and a"
            f" quarter of MEMORY_BYTES={found.memory_bytes} is for them:"
            " allowed are fewer, smaller ones, or more memory"
        )
    return found
