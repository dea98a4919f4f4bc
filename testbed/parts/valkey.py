"""Valkey as a store, as a cache, or as a master of a cluster: whether it is ready, and its counters.

Source: the commands INFO and CLUSTER INFO of Valkey 8.1. Parsing is pure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from testbed.parts.asking import TIMEOUT_S, PartError
from testbed.parts.page import whole
from testbed.parts.part_counts import PartCounts

# How soon it is ready under the smallest limits a trial gives it.
READY_S = 10.0
USER = "threadmill"
SLOTS = 16384


def counts(info: Mapping[str, Any]) -> PartCounts:
    """The counts out of the answer to INFO; of what is not in it, nothing is known. Pure."""
    return PartCounts(
        connections=whole(info.get("connected_clients")),
        connections_most=whole(info.get("maxclients")),
        operations=whole(info.get("total_commands_processed")),
        hits=whole(info.get("keyspace_hits")),
        misses=whole(info.get("keyspace_misses")),
        evicted=whole(info.get("evicted_keys")),
        memory_bytes=whole(info.get("used_memory")),
    )


def is_ready(info: Mapping[str, Any], cluster: Mapping[str, Any] | None) -> bool:
    """Whether it has read its values and, in a cluster, all slots are served. Pure.

    `cluster` is the answer to CLUSTER INFO, None where it stands alone.
    """
    if info.get("loading") != 0:
        return False
    return cluster is None or (
        cluster.get("cluster_state") == "ok"
        and str(cluster.get("cluster_slots_ok")) == str(SLOTS)
        and cluster.get("cluster_size") == cluster.get("cluster_known_nodes")
    )


@dataclass(frozen=True)
class Valkey:
    """A running Valkey, of a cluster this one master alone."""

    host: str
    port: int
    password: str
    name: str = "valkey"

    def ready(self) -> bool:
        """Whether it does its work."""
        try:
            info, cluster = self._info()
        except PartError:
            return False
        return is_ready(info, cluster)

    def close(self) -> None:
        """Nothing is kept."""

    def read(self) -> PartCounts:
        """Its counts now. PartError, an OSError, where it does not answer."""
        return counts(self._info()[0])

    def _info(self) -> tuple[dict[str, Any], dict[str, Any] | None]:
        import valkey  # only where there is one: it takes a tenth of a second
        from valkey.exceptions import ValkeyError

        client = valkey.Valkey(
            self.host,
            self.port,
            username=USER,
            password=self.password,
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            lib_name=None,
            lib_version=None,
        )
        try:
            with client:
                info: Any = client.info()
                cluster: Any = client.cluster("INFO") if info.get("cluster_enabled") else None
        except (ValkeyError, OSError) as error:
            raise PartError(f"{self.name} does not answer at {self.host}:{self.port}: {error}") from None
        return info, cluster
