"""Valkey by valkey-py: one node, or a cluster of which the driver knows who has which keys."""

from collections.abc import Callable
from typing import Any

import valkey
from valkey import asyncio as aio
from valkey import exceptions
from valkey.asyncio.cluster import ClusterNode as AioNode
from valkey.cluster import ClusterNode

from servers.behind.addresses import Place
from servers.behind.config import BehindConfig
from servers.behind.failures import CALL_S, REFUSED, UNREACHABLE, BackendError, of_system


class Valkey:
    """For threads. A connection is a client of its own: of a cluster, with one connection to each node it asks."""

    def __init__(self, config: BehindConfig, nodes: list[Place]) -> None:
        self._config = config
        self._nodes = nodes

    def connect(self, place: Place) -> Any:
        said = _parameters(self._config)
        if len(self._nodes) > 1:
            nodes = [_node(node.ip(), node.port) for node in self._nodes]
            return valkey.ValkeyCluster(startup_nodes=nodes, cluster_error_retry_attempts=0, **said)
        # Connected at once, since it is one connection's client.
        return valkey.Valkey(place.ip(), place.port, single_connection_client=True, **said)

    def close(self, client: Any) -> None:
        client.close()

    def failure(self, error: Exception, client: Any) -> BackendError:
        return _failure(error, client is None)

    def get(self, client: Any, key: str) -> str | None:
        value: str | None = client.get(key)
        return value

    def put(self, client: Any, key: str, value: str, ttl_s: float) -> None:
        client.set(key, value, px=_milliseconds(ttl_s))

    def replace(self, client: Any, key: str, value: str) -> bool:
        """False where there is no such key."""
        return bool(client.set(key, value, xx=True))

    def acquire(self, client: Any, key: str, ttl_s: float) -> bool:
        return bool(client.set(key, "", nx=True, px=_milliseconds(ttl_s)))

    def delete(self, client: Any, key: str) -> None:
        client.delete(key)

    def size(self, client: Any) -> None:
        client.dbsize()


class AioValkey:
    """For an event loop."""

    def __init__(self, config: BehindConfig, nodes: list[Place]) -> None:
        self._config = config
        self._nodes = nodes

    async def connect(self, place: Place) -> Any:
        said = _parameters(self._config)
        client: Any
        if len(self._nodes) > 1:
            nodes = [AioNode(node.ip(), node.port) for node in self._nodes]
            client = aio.ValkeyCluster(
                startup_nodes=nodes, cluster_error_retry_attempts=0, connection_error_retry_attempts=0, **said
            )
        else:
            client = aio.Valkey(host=place.ip(), port=place.port, single_connection_client=True, **said)
        await client.initialize()
        return client

    async def close(self, client: Any) -> None:
        await client.aclose()

    def failure(self, error: Exception, client: Any) -> BackendError:
        return _failure(error, client is None)

    async def get(self, client: Any, key: str) -> str | None:
        value: str | None = await client.get(key)
        return value

    async def put(self, client: Any, key: str, value: str, ttl_s: float) -> None:
        await client.set(key, value, px=_milliseconds(ttl_s))

    async def replace(self, client: Any, key: str, value: str) -> bool:
        return bool(await client.set(key, value, xx=True))

    async def acquire(self, client: Any, key: str, ttl_s: float) -> bool:
        return bool(await client.set(key, "", nx=True, px=_milliseconds(ttl_s)))

    async def delete(self, client: Any, key: str) -> None:
        # Not by `delete`: that takes several keys, of a cluster in a pipeline that fails where nothing is tried again.
        await client.execute_command("DEL", key)

    async def size(self, client: Any) -> None:
        await client.dbsize()


_node: Callable[[str, int], Any] = ClusterNode  # which has no types


def _parameters(config: BehindConfig) -> dict[str, Any]:
    return {
        "username": "threadmill" if config.password else None,
        "password": config.password or None,
        "decode_responses": True,
        "socket_timeout": CALL_S,
        "socket_connect_timeout": CALL_S,
    }


def _milliseconds(seconds: float) -> int | None:
    """None for no end."""
    return max(1, round(1_000 * seconds)) if seconds else None


def _failure(error: Exception, connecting: bool) -> BackendError:
    if isinstance(error, exceptions.TimeoutError):
        return of_system(TimeoutError())
    if isinstance(error, exceptions.AuthenticationError | exceptions.AuthorizationError):
        return BackendError(REFUSED, str(error))
    if isinstance(error, exceptions.ConnectionError):
        return BackendError(UNREACHABLE, str(error))
    if isinstance(error, exceptions.ClusterDownError):
        return BackendError(REFUSED, str(error))
    if isinstance(error, exceptions.ResponseError):
        return BackendError(REFUSED, str(error), broken=connecting)
    if isinstance(error, exceptions.ValkeyClusterException):  # none of its nodes is there, or they do not agree
        return BackendError(UNREACHABLE, str(error))
    return of_system(error)
