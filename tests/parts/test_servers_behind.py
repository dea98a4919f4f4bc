"""Every server with all that may be behind it: its image, real drivers, real stores and brokers, their failures."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
import valkey

from servers.models import SERVERS, TABLE
from servers.models.traits import WORKERS
from testbed.names import BEHIND, behind_name, image_name
from testbed.parts import nats, postgres, rabbitmq
from testbed.parts import valkey as valkey_part
from testbed.parts.behind import (
    NATS_PAGE_PORT,
    NATS_PORT,
    POSTGRES_PORT,
    RABBITMQ_PAGE_PORT,
    RABBITMQ_PORT,
    VALKEY_PORT,
)
from tests.e2e.built import built
from tests.e2e.compose import docker
from tests.parts.containers import PASSWORD, Containers, address, containers, inside, said
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

KEYS = 100
USER = "threadmill"
# Each its own of the stores: several kinds stand on PostgreSQL, and one is stopped in each test.
TOLD: dict[str, dict[str, str]] = {
    "postgres": {"BEHIND_WRITE": f"postgres:{POSTGRES_PORT}"},
    "valkey": {"BEHIND_CACHE": f"valkey:{VALKEY_PORT}"},
    "valkey+postgres": {"BEHIND_WRITE": f"postgres:{POSTGRES_PORT}", "BEHIND_CACHE": f"cache:{VALKEY_PORT}"},
    "nats": {"BEHIND_WRITE": f"nats:{NATS_PORT}"},
    "jetstream": {"BEHIND_WRITE": f"jetstream:{NATS_PORT}"},
    "rabbitmq": {"BEHIND_WRITE": f"rabbitmq:{RABBITMQ_PORT}"},
}
# What is stopped.
ENDED = {"valkey+postgres": "cache"}
IN_LOOPS = tuple(name for name in SERVERS if "servers.aio" in TABLE[name].imports)
ONE_PROCESS = tuple(name for name in SERVERS if TABLE[name].pool != WORKERS and TABLE[name].interpreters is not None)
SHARING = tuple(name for name in SERVERS if TABLE[name].shares_a_process or name in IN_LOOPS)
LATER = 2**62
# Of all of them at once, RabbitMQ's start included, which takes most of a minute on a busy machine.
READY_S = 4 * rabbitmq.READY_S
PORT = 8081


class Stage:
    """Stores and brokers in one network, and servers before them."""

    def __init__(self, parts: Containers) -> None:
        self.parts = parts
        self.stores: dict[str, str] = {}

    def store(self, name: str, image: str, **told: str) -> None:
        """Started; `is_ready` says when it is at work."""
        told = {"KEYS": str(KEYS), **told}
        self.stores[name] = self.parts.start(image, name, cpus=2, memory="512m", **told)

    def is_ready(self, name: str) -> bool:
        host = address(self.stores[name])
        clients: dict[str, Callable[[], Any]] = {
            "nats": lambda: nats.Nats(host, NATS_PAGE_PORT, PASSWORD),
            "jetstream": lambda: nats.Nats(host, NATS_PAGE_PORT, PASSWORD),
            "rabbitmq": lambda: rabbitmq.RabbitMQ(host, RABBITMQ_PAGE_PORT, PASSWORD),
            "valkey": lambda: valkey_part.Valkey(host, VALKEY_PORT, PASSWORD),
            "cache": lambda: valkey_part.Valkey(host, VALKEY_PORT, PASSWORD),
        }
        client = clients.get(name, lambda: postgres.Postgres(host, POSTGRES_PORT, PASSWORD))()
        return bool(client.ready())

    def servers(self, kind: str, names: tuple[str, ...] = SERVERS, **told: str) -> dict[str, str]:
        """A container of each, serving; by name."""
        with ThreadPoolExecutor(4) as pool:
            found = dict(zip(names, pool.map(lambda name: self._server(name, kind, told), names), strict=True))
        for container in found.values():
            wait_until(lambda one=container: any("Server started" in line for line in said(one)), "it serves", 60)
        return found

    def _server(self, name: str, kind: str, told: dict[str, str]) -> str:
        everything = {"BEHIND": kind, **TOLD[kind], "WORKERS": "2", "DRAIN_TIMEOUT": "1", **told}
        return self.parts.start(behind_name(name), f"{name}-{kind.replace('+', '-')}", **everything)


@pytest.fixture(scope="module")
def stage(images_behind: None) -> Iterator[Stage]:
    built(BEHIND)
    with containers() as parts:
        yield Stage(parts)


@pytest.fixture(scope="module")
def standing(stage: Stage) -> Stage:
    """With all of TOLD."""
    stage.store("rabbitmq", "rabbitmq")
    stage.store("postgres", "postgres", ROLE="primary")
    stage.store("valkey", "valkey", PRELOAD="1")
    stage.store("cache", "valkey")
    stage.store("nats", "nats")
    stage.store("jetstream", "nats", STREAM="1")
    for name in stage.stores:
        wait_until(lambda one=name: stage.is_ready(one), f"{name} is ready", READY_S)
    return stage


def ask(container: str, *lines: str) -> list[str]:
    """The replies on one connection."""
    with socket.create_connection((address(container), PORT), 30) as own, own.makefile("rb") as replies:
        found = []
        for line in lines:
            own.sendall(line.encode() + b"\n")
            found.append(replies.readline().decode().rstrip("\n"))
        return found


def every(servers: dict[str, str], *lines: str) -> dict[str, list[str]]:
    """The replies of each, all asked at once."""
    with ThreadPoolExecutor(len(servers)) as pool:
        return dict(zip(servers, pool.map(lambda one: ask(one, *lines), servers.values()), strict=True))


def reports(servers: dict[str, str]) -> dict[str, dict[str, Any]]:
    """What each says when it is stopped that it has asked of what is behind it."""
    docker("stop", "--time", "10", *servers.values())
    found = {}
    for name, container in servers.items():
        (line,) = [line for line in said(container) if line.startswith("[REPORT] ")]
        found[name] = json.loads(line.removeprefix("[REPORT] "))["behind"]
    return found


def spoil(stage: Stage, kind: str, key: int) -> None:
    """Put something else where the value of a key is."""
    if kind == "postgres":
        with psycopg.connect(
            host=address(stage.stores["postgres"]), user=USER, password=PASSWORD, dbname=USER, autocommit=True
        ) as connection:
            connection.execute("UPDATE items SET value = 'rubbish' WHERE key = %s", (key,))
    else:
        host = address(stage.stores["valkey" if kind == "valkey" else "cache"])
        with valkey.Valkey(host, VALKEY_PORT, username=USER, password=PASSWORD) as store:
            store.set(f"item:{key}", "rubbish")


@pytest.mark.parametrize("kind", ["postgres", "valkey", "valkey+postgres"])
def test_every_server_reads_and_writes_and_tells_what_is_stale_or_wrong(standing: Stage, kind: str) -> None:
    servers = standing.servers(kind)
    wait_for_all(servers, "!read=1")
    spoil(standing, kind, 99)
    version = time.time_ns() // 1_000
    wanted = [
        ("!read=1", "!read=1"),
        (f"!write=7:{version} payload", f"!write=7:{version} payload"),
        (f"!read=7:{version} !sleep=1000 x", f"!read=7:{version} !sleep=1000 x"),
        (f"!read=7:{LATER}", "!stale"),
        ("!read=99", "!wrong"),
        ("!read=all", "!read=all"),
        (f"!read={KEYS}", f"!error backend unknown key: {KEYS}"),
        ("!send=1", f"!error send: {kind} is behind this server, which takes read, write"),
        ("plain", "plain"),
    ]
    for name, replies in every(servers, *(line for line, _ in wanted)).items():
        assert replies == [reply for _, reply in wanted], name
    goes_on_after_a_failure(standing, kind, servers, "!read=1")
    for name, counted in reports(servers).items():
        assert counted["reads"] >= 4 and counted["writes"] == 1 and counted["scans"] == 1, name
        assert (counted["stale"], counted["wrong"], counted["errors"]["unknown key"]) == (1, 1, 1), name
        assert bool(counted["hits"]) == bool(counted["misses"]) == (kind == "valkey+postgres"), name


@pytest.mark.parametrize("kind", ["nats", "jetstream", "rabbitmq"])
def test_every_server_sends(standing: Stage, kind: str) -> None:
    servers = standing.servers(kind)
    for name, replies in every(servers, "!send=7", "!send=7:8 x", "!read=7").items():
        assert replies == ["!send=7", "!send=7:8 x", f"!error read: {kind} is behind this server, which takes send"], (
            name
        )
    if kind == "rabbitmq":
        host = address(standing.stores[kind])
        wait_until(
            lambda: rabbitmq.RabbitMQ(host, RABBITMQ_PAGE_PORT, PASSWORD).read().backlog == 2 * len(SERVERS),
            "every message is in the queue",
        )
    goes_on_after_a_failure(standing, kind, servers, "!send=7")
    for name, counted in reports(servers).items():
        assert counted["sends"] >= 3 and counted["reads"] == counted["writes"] == 0, name


def wait_for_all(servers: dict[str, str], line: str) -> None:
    """Return once each has answered well: eleven make their first connection at once, which a busy machine delays."""
    wait_until(lambda: all(found == [line] for found in every(servers, line).values()), f"all answer {line}", 60)


def goes_on_after_a_failure(stage: Stage, kind: str, servers: dict[str, str], line: str) -> None:
    """Kill what is behind, start it again: every server tells of it by name, and connects anew."""
    stopped = ENDED.get(kind, kind)
    docker("kill", stage.stores[stopped])
    for name, (reply,) in every(servers, line).items():
        # Of several processes the one that answers may have had no connection yet, and nobody answers at that address.
        names = ("unreachable",) if name in ONE_PROCESS else ("unreachable", "timeout")
        assert reply.startswith(tuple(f"!error backend {one}: " for one in names)), (name, reply)
    docker("start", stage.stores[stopped])
    wait_until(lambda: stage.is_ready(stopped), f"{stopped} is ready again", READY_S)

    wait_for_all(servers, line)
    for name in IN_LOOPS:
        threads = [found for found in inside(servers[name], "/proc/1/status") if found.startswith("Threads:")]
        assert [one.split()[1] for one in threads] == ["1"], "no driver starts a thread"


def test_a_pool_that_runs_dry_is_waited_for_and_then_said_so(stage: Stage) -> None:
    stage.store("slow", "postgres", ROLE="primary", READ_COST_US="400000")
    wait_until(lambda: stage.is_ready("slow"), "slow is ready", READY_S)
    told = {"BEHIND_POOL": "1", "BEHIND_WAIT": "0.1", "BEHIND_WRITE": f"slow:{POSTGRES_PORT}"}
    servers = stage.servers("postgres", SHARING, **{**told, "WORKERS": "1"})
    every(servers, "!read=1")
    with ThreadPoolExecutor(3 * len(servers)) as pool:
        asked = {name: [pool.submit(ask, one, "!read=1") for _ in range(3)] for name, one in servers.items()}
        replies = {name: sorted(one.result()[0] for one in those) for name, those in asked.items()}
    for name, found in replies.items():
        assert "!read=1" in found, (name, found)
        assert "!error backend exhausted: none of 1 connections was free within 0.1 s" in found, (name, found)
    for name, counted in reports(servers).items():
        assert counted["errors"]["exhausted"] >= 1 and counted["waited"] >= counted["errors"]["exhausted"], name
        # A loop's clock is of whole milliseconds, and its timer may be one early.
        assert counted["waited_us"] >= 99_000 * counted["errors"]["exhausted"], name
        assert counted["connects"] == 1, name


def test_a_cluster_is_asked_where_the_key_is_and_stays_in_use_when_a_master_is_gone(stage: Stage) -> None:
    names = ("valkey-1", "valkey-2", "valkey-3")
    for name in names:
        stage.stores[name] = stage.parts.start("valkey", name, PRELOAD="1", KEYS=str(KEYS), MASTERS=" ".join(names))
    for name in names:
        host = address(stage.stores[name])
        wait_until(valkey_part.Valkey(host, VALKEY_PORT, PASSWORD).ready, f"{name} is ready", READY_S)
    nodes = ",".join(f"{name}:{VALKEY_PORT}" for name in names)
    some = ("spmt", "event-loop")
    servers = stage.servers("valkey", some, BEHIND_CACHE=nodes)
    lines = [f"!read={key}" for key in range(20)] + ["!write=3:9", "!read=3:9", "!read=all"]
    for name, replies in every(servers, *lines).items():
        assert replies == lines, name
    docker("kill", stage.stores["valkey-2"])
    reads = lines[:20]
    for name, replies in every(servers, *reads).items():
        failed = [reply for reply in replies if reply.startswith("!error backend ")]
        assert 0 < len(failed) < len(reads), (name, replies)
        assert set(replies) - set(failed) <= set(reads), name


@pytest.mark.parametrize("name", ["spst", "event-loop-uvloop"])
def test_no_other_image_has_drivers_or_our_code_for_them(name: str) -> None:
    built((name, behind_name(name)))
    look = ("run", "--rm", "--network", "none", "--entrypoint", "sh")
    script = 'find /app/servers/behind /opt -name "*.pyc" | grep -cE "servers/behind|psycopg|valkey|pika|nats"; exit 0'
    assert docker(*look, image_name(name), "-c", script).split()[-1] == "0"
    assert int(docker(*look, image_name(behind_name(name)), "-c", script).split()[-1]) > 100
