"""PostgreSQL and PgBouncer as they are: alone, with standbys, pooled, and in shards, under the limits of a trial."""

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from behind.postgres_settings import read
from testbed.parts.pgbouncer import PgBouncer
from testbed.parts.postgres import OBSERVER, PORT, READY_S, USER, Postgres
from tests.e2e.compose import docker
from tests.parts.containers import PASSWORD, SOMEBODY, Containers, address, state, stop
from tests.waiting import wait_until

pytestmark = pytest.mark.e2e

KEYS = 200


def part(container: str) -> Postgres:
    return Postgres(address(container), PORT, PASSWORD)


def wait_for(*those: str) -> None:
    wait_until(lambda: all(part(container).ready() for container in those), "they are ready", READY_S)


@contextmanager
def connected(container: str, user: str = USER, **options: Any) -> Iterator[psycopg.Connection[Any]]:
    where = {"host": address(container), "port": PORT, "dbname": "threadmill", "user": user, "password": PASSWORD}
    with psycopg.connect(**{**where, **options}, autocommit=True, connect_timeout=5) as connection:
        yield connection


def row(connection: psycopg.Connection[Any], query: str, *values: object) -> tuple[Any, ...] | None:
    return connection.execute(query, values).fetchone()


def test_one_has_its_data_within_seconds_at_a_fifth_of_a_processor(parts: Containers) -> None:
    begun = time.monotonic()
    container = parts.start("postgres", cpus=0.2, memory="128m", MEMORY_BYTES=str(128 * 2**20))
    wait_for(container)
    assert time.monotonic() - begun < READY_S
    with connected(container) as store:
        assert row(store, "SELECT * FROM tm_read(9999)") == (0, "9999:0:".ljust(100, "x"))
        assert row(store, "SELECT * FROM tm_read(10000)") is None
        assert row(store, "SELECT tm_write(7, 5, 'five')") == (True,)
        # An older one arrives late: nobody goes back to it.
        assert row(store, "SELECT tm_write(7, 4, 'four')") == (True,)
        assert row(store, "SELECT * FROM tm_read(7)") == (5, "five")
        assert row(store, "SELECT tm_write(10000, 1, '')") == (False,)
        assert row(store, "SELECT sum(n) FROM tm_scan() AS n") == (10_000,)
        counts = part(container).read()
        assert (counts.connections, counts.connections_most, counts.lag_s) == (1, 30, None)
        with pytest.raises(psycopg.Error, match="permission denied"):
            store.execute("SELECT pg_read_file('/etc/passwd')")
    assert not Postgres(address(container), PORT, "not-the-secret").ready()
    assert state(container)["State"]["OOMKilled"] is False
    assert PASSWORD not in docker("logs", container)
    assert stop(container) == 0
    docker("start", container)
    wait_for(container)


def test_transactions_are_counted_and_one_that_is_full_still_says_so(parts: Containers) -> None:
    container = parts.start("postgres", memory="128m", MEMORY_BYTES=str(128 * 2**20), KEYS=str(KEYS))
    wait_for(container)
    looks = part(container)
    most = looks.read().connections_most
    assert most == read({"BEHIND_PASSWORD": PASSWORD, "MEMORY_BYTES": str(128 * 2**20), "KEYS": "200"}).connections
    # Those that have asked whether it is ready may still be on their way out.
    wait_until(lambda: looks.read().connections == 0, "nobody is connected")
    before = looks.read().operations or 0
    clients: list[psycopg.Connection[Any]] = []
    try:
        with pytest.raises(psycopg.OperationalError, match="remaining connection slots"):
            for _ in range(most + 1):
                one = psycopg.connect(host=address(container), user=USER, password=PASSWORD, autocommit=True)
                clients.append(one)
        for client in clients:
            for version in range(1, 11):
                client.execute("SELECT tm_write(3, %s, 'x')", (version,))
        # Each that looks has a slot that clients then lack: the reserved ones are for when no other is left.
        assert most - 5 < len(clients) <= most
        assert looks.read().connections == len(clients)
    finally:
        for client in clients:
            client.close()
    wait_until(lambda: looks.read().connections == 0, "they are gone")
    # Their processes have told it all when they ended, but for what the readings themselves did.
    after = looks.read().operations or 0
    assert 10 * len(clients) <= after - before < 10 * len(clients) + 100
    # What did not fit had not been started.
    assert state(container)["State"]["OOMKilled"] is False


def test_when_one_of_its_processes_is_killed_it_goes_on_with_its_data(parts: Containers) -> None:
    container = parts.start("postgres", KEYS=str(KEYS))
    wait_for(container)
    with connected(container) as store:
        row(store, "SELECT tm_write(1, 9, 'kept')")
        (pid,) = row(store, "SELECT pg_backend_pid()") or ()
        docker("exec", container, "kill", "-9", str(pid))
        with pytest.raises(psycopg.OperationalError):
            row(store, "SELECT * FROM tm_read(1)")
    wait_for(container)
    with connected(container) as store:
        assert row(store, "SELECT * FROM tm_read(1)") == (9, "kept")


def test_a_commit_waits_for_standbys_and_one_that_is_cut_off_says_how_far_it_is_behind(parts: Containers) -> None:
    told = {"KEYS": str(KEYS)}
    primary = parts.start("postgres", COMMIT="remote_apply", STANDBYS="2", **told)
    standbys = [
        parts.start("postgres", f"standby-{n}", ROLE="standby", PRIMARY="postgres", STANDBY=f"standby-{n}", **told)
        for n in (1, 2)
    ]
    wait_for(primary, *standbys)
    with connected(primary) as writer, connected(standbys[1]) as reader, connected(standbys[1], OBSERVER) as observer:
        for version in range(1, 21):
            row(writer, "SELECT tm_write(5, %s, 'x')", version)
            # What has been committed is seen, at once and every time.
            assert row(reader, "SELECT version FROM tm_read(5)") == (version,)
        assert part(standbys[1]).read().lag_s == 0
        with pytest.raises(psycopg.Error, match="read-only transaction"):
            row(reader, "SELECT tm_write(5, 99, 'x')")

        observer.execute("SELECT pg_wal_replay_pause()")
        wait_until(lambda: row(observer, "SELECT pg_get_wal_replay_pause_state()") == ("paused",), "it stands still")
        write = threading.Thread(target=row, args=(writer, "SELECT tm_write(5, 100, 'x')"))
        write.start()
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
        with connected(primary, OBSERVER) as looks:
            wait_until(lambda: row(looks, waiting) == (1,), "the commit waits")
        with connected(standbys[0]) as other:
            wait_until(lambda: row(other, "SELECT version FROM tm_read(5)") == (100,), "one has it")
        assert row(reader, "SELECT version FROM tm_read(5)") == (20,)
        assert write.is_alive() and (part(standbys[1]).read().lag_s or 0) > 0
        observer.execute("SELECT pg_wal_replay_resume()")
        write.join(10)
        assert not write.is_alive() and row(reader, "SELECT version FROM tm_read(5)") == (100,)

        docker("kill", primary)
        wait_until(lambda: not part(standbys[1]).ready(), "it has lost its primary")
        first = part(standbys[1]).read().lag_s or 0
        assert first > 0
        wait_until(lambda: (part(standbys[1]).read().lag_s or 0) > first + 0.5, "it falls behind")
        assert row(reader, "SELECT version FROM tm_read(5)") == (100,)

        # Another with the same name and other data is none of its own.
        docker("start", primary)
        wait_for(primary)
        refused = "could not receive timeline history file"
        wait_until(lambda: refused in logs(standbys[1]), "it is refused", READY_S)
        assert row(reader, "SELECT version FROM tm_read(5)") == (100,) and not part(standbys[1]).ready()


def logs(container: str) -> str:
    command = ["docker", "logs", container]
    return subprocess.run(command, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, text=True, check=True).stdout


def test_many_clients_share_the_few_connections_of_a_pooler(parts: Containers) -> None:
    database = parts.start("postgres", KEYS=str(KEYS))
    container = parts.start("pgbouncer", cpus=0.2, memory="128m", POSTGRES="postgres", POOL="2")
    pooler = PgBouncer(address(container), PORT, PASSWORD)
    wait_until(pooler.ready, "it is ready", READY_S)
    clients = [
        psycopg.connect(host=address(container), user=USER, password=PASSWORD, dbname="threadmill", autocommit=True)
        for _ in range(12)
    ]
    try:
        # Often enough to be prepared: whichever connection gets the statement has to know it.
        for _ in range(8):
            for key, client in enumerate(clients):
                assert row(client, "SELECT version FROM tm_read(%s)", key) == (0,)
        assert part(database).read().connections in (1, 2)
        counts = pooler.read()
        assert (counts.connections, counts.connections_most, counts.waiting) == (12, 2_000, 0)
        assert (counts.operations or 0) >= 8 * 12

        for client in clients[:2]:
            client.execute("BEGIN")
        third = threading.Thread(target=row, args=(clients[2], "SELECT * FROM tm_read(1)"))
        third.start()
        wait_until(lambda: pooler.read().waiting == 1, "the third waits")
        clients[0].execute("COMMIT")
        third.join(10)
        assert not third.is_alive()
    finally:
        for client in clients:
            client.close()
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        psycopg.connect(host=address(container), user=USER, password="not-the-secret", dbname="threadmill")
    assert stop(container) == 0


def test_a_router_asks_the_one_shard_that_has_a_key_or_all(parts: Containers) -> None:
    told = {"SHARDS_COUNT": "2", "KEYS": str(KEYS)}
    shards = [parts.start("postgres", f"shard-{n + 1}", ROLE="shard", SHARD=str(n), **told) for n in (0, 1)]
    router = parts.start("postgres", "shards", ROLE="router", SHARDS="shard-1 shard-2")
    wait_for(*shards, router)
    held: list[set[int]] = []
    for shard in shards:
        with connected(shard) as store:
            held.append({key for (key,) in store.execute("SELECT key FROM items").fetchall()})
    assert held[0] | held[1] == set(range(KEYS)) and not held[0] & held[1]
    assert min(len(one) for one in held) > KEYS / 3
    with connected(router) as client:
        for key in range(KEYS):
            assert row(client, "SELECT tm_write(%s, 1, %s)", key, str(key)) == (True,)
            assert row(client, "SELECT * FROM tm_read(%s)", key) == (1, str(key))
        assert row(client, "SELECT tm_write(%s, 1, '')", KEYS) == (False,)
        assert row(client, "SELECT * FROM tm_read(%s)", KEYS) is None
        assert row(client, "SELECT sum(n) FROM tm_scan() AS n") == (KEYS,)

        docker("kill", shards[1])
        lost, other = min(held[1]), min(held[0])
        with pytest.raises(psycopg.Error):
            row(client, "SELECT * FROM tm_read(%s)", lost)
        assert row(client, "SELECT * FROM tm_read(%s)", other) == (1, str(other))
        with pytest.raises(psycopg.Error):
            row(client, "SELECT sum(n) FROM tm_scan() AS n")
        assert not part(router).ready()
        docker("start", shards[1])
        wait_for(shards[1], router)
        # Its data were gone with it: they are memory.
        assert row(client, "SELECT version FROM tm_read(%s)", lost) == (0,)


@pytest.mark.parametrize(
    ("image", "user", "settings", "says"),
    [
        ("postgres", SOMEBODY, {"ROLE": "standby"}, "postgres: PRIMARY='': must be one host name"),
        ("postgres", "0:0", {}, "postgres: must not run as root: give the container another user"),
        ("pgbouncer", SOMEBODY, {}, "pgbouncer: POSTGRES='': must be one host name"),
    ],
)
def test_what_it_cannot_do_is_said_in_one_line(
    images_behind: None, image: str, user: str, settings: dict[str, str], says: str
) -> None:
    told = [f"--env={name}={value}" for name, value in {"BEHIND_PASSWORD": PASSWORD, **settings}.items()]
    command = ["docker", "run", "--rm", "--read-only", "--tmpfs=/tmp", "--network=none", f"--user={user}", *told]
    done = subprocess.run([*command, f"threadmill/{image}"], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"{says}\n")
