"""Valkey as it is: alone, and as a cluster of three masters, under the limits of a trial."""

import time
from typing import Any

import pytest
import valkey
from valkey.cluster import ValkeyCluster
from valkey.exceptions import AuthenticationError, OutOfMemoryError

from behind.valkey import slots_of
from behind.valkey_file import slot
from testbed.parts.valkey import READY_S, Valkey
from tests.e2e.compose import docker
from tests.parts.containers import PASSWORD, Containers, address, state, stop
from tests.waiting import wait_until

pytestmark = pytest.mark.e2e

NAMES = ("valkey-1", "valkey-2", "valkey-3")
KEYS = 10_000
USER = "threadmill"


def client(container: str, password: str = PASSWORD) -> Any:
    return valkey.Valkey(address(container), 6379, username=USER, password=password, decode_responses=True)


def ready(container: str) -> bool:
    return Valkey(address(container), 6379, PASSWORD).ready()


def wait_for(*those: str) -> None:
    wait_until(lambda: all(ready(container) for container in those), "they are ready", READY_S)


def test_one_alone_has_every_value_within_seconds_at_a_fifth_of_a_processor(parts: Containers) -> None:
    begun = time.monotonic()
    container = parts.start("valkey", cpus=0.2, memory="64m", PRELOAD="1")
    wait_for(container)
    assert time.monotonic() - begun < READY_S
    with client(container) as store:
        assert store.dbsize() == KEYS
        assert store.get("item:9999") == "9999:0:".ljust(100, "x")
    counts = Valkey(address(container), 6379, PASSWORD).read()
    assert (counts.hits, counts.misses, counts.connections_most) == (1, 0, 10_000)
    with client(container, "not-the-secret") as stranger, pytest.raises(AuthenticationError):
        stranger.get("item:1")
    assert not Valkey(address(container), 6379, "not-the-secret").ready()
    assert stop(container) == 0
    docker("start", container)
    wait_for(container)
    assert state(container)["State"]["OOMKilled"] is False


def test_what_does_not_fit_is_refused_by_a_store_and_thrown_out_of_a_cache(parts: Containers) -> None:
    told = {"KEYS": "1", "MAXMEMORY": str(6 * 2**20)}
    kept = parts.start("valkey", "store", PRELOAD="1", **told)
    cached = parts.start("valkey", "cache", PRELOAD="0", **told)
    wait_for(kept, cached)
    with client(kept) as store, client(cached) as cache:
        assert (store.dbsize(), cache.dbsize()) == (1, 0)
        with pytest.raises(OutOfMemoryError):
            fill(store)
        fill(cache)
    assert (Valkey(address(cached), 6379, PASSWORD).read().evicted or 0) > 0


def fill(store: Any) -> None:
    for n in range(400):
        store.set(f"item:{n}", "x" * 65_536)


def test_three_masters_have_a_third_each_and_clients_follow_a_slot_that_moves(parts: Containers) -> None:
    cluster = {"MASTERS": " ".join(NAMES), "PRELOAD": "1"}
    masters = [parts.start("valkey", name, cpus=0.2, memory="64m", **cluster) for name in NAMES]
    wait_for(*masters)
    asked = ValkeyCluster(
        address(masters[0]), 6379, username=USER, password=PASSWORD, decode_responses=True, socket_timeout=2.0
    )
    sizes = []
    for master in masters:
        with client(master) as one:
            sizes.append(one.dbsize())
    assert sum(sizes) == KEYS and all(abs(size - KEYS / 3) < 200 for size in sizes)
    everything = {key: asked.get(f"item:{key}") for key in range(0, KEYS, 10)}
    assert everything == {key: f"{key}:0:".ljust(100, "x") for key in everything}
    # One that is started again finds the others, and has what it began with.
    assert stop(masters[1]) == 0
    docker("start", masters[1])
    wait_for(*masters)
    assert {key: asked.get(f"item:{key}") for key in everything} == everything
    move(masters, slot(b"item:50"))
    # It asks where it used to be, is told MOVED, and asks there.
    assert asked.get("item:50") == everything[50]
    assert asked.set("item:50", "50:7:")
    assert asked.get("item:50") == "50:7:"
    wait_for(*masters)
    asked.close()


def move(masters: list[str], number: int) -> None:
    """Give a slot with all its keys to the next master, as `valkey-cli --cluster reshard` does."""
    holder = next(place for place in range(3) if number in slots_of(place, 3))
    source, target = masters[holder], masters[(holder + 1) % 3]
    with client(source) as one, client(target) as other:
        here, there = one.execute_command("CLUSTER MYID"), other.execute_command("CLUSTER MYID")
        other.execute_command("CLUSTER SETSLOT", number, "IMPORTING", here)
        one.execute_command("CLUSTER SETSLOT", number, "MIGRATING", there)
        keys = one.execute_command("CLUSTER GETKEYSINSLOT", number, 100)
        assert keys
        to = (address(target), 6379, "", 0, 5000, "AUTH2", USER, PASSWORD, "KEYS")
        one.execute_command("MIGRATE", *to, *keys)
        for both in (other, one):
            both.execute_command("CLUSTER SETSLOT", number, "NODE", there)
