"""What may stand behind the servers, as a sweep file says it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from testbed.errors import UserError
from testbed.plan import cells, fitting
from testbed.plan.behind import Behind, Nats, Postgres, RabbitMQ, Valkey, text
from testbed.plan.behind_values import label, of_text
from testbed.plan.fields import Machine
from testbed.plan.images import parts_behind, server_images
from testbed.plan.schema import Sweep
from testbed.plan.sweepfile import dump, parse

PATH = Path("made.yaml")
MACHINE = Machine(8, 8 * 2**30)


def swept(behind: str, machine: Machine = MACHINE, **more: Any) -> Sweep:
    rest = yaml.dump({"name": "made", "models": ["spmt"], "limits": {"cpus": 0.3}, **more})
    return parse(f"{rest}behind: {behind}\n", PATH, machine)


def found(behind: str, **more: Any) -> list[Behind | None]:
    return [cell.what_is_behind for cell in cells.cells(swept(behind, **more))]


EACH: list[tuple[str, Behind | None, str]] = [
    ("none", None, "none"),
    ("postgres", Behind(Postgres()), "postgres, 0.4 CPU"),
    (
        "{postgres: {cpus: 0.6, standbys: 2, reads: standby, commit: remote_apply, memory: 96MiB, cost: 2ms}, pool: 9}",
        Behind(Postgres(0.6, "all", 96 * 2**20, 2, "standby", "remote_apply", cost_us=2_000), 9),
        "postgres, 0.6 CPU, 2 standbys, reads standby, commit remote_apply, cost 2ms, pool 9",
    ),
    ("{postgres: {pooler: pgbouncer}}", Behind(Postgres(pooler="pgbouncer")), "postgres, 0.4 CPU, pgbouncer"),
    (
        "{postgres: {shards: 4, cpus: 0.1, cpus_of: each}, wait: 200ms}",
        Behind(Postgres(0.1, "each", shards=4), wait_us=200_000),
        "postgres, 0.1 CPU, 4 shards, each, wait 200ms",
    ),
    ("{valkey: {masters: 3}}", Behind(Valkey(masters=3)), "valkey, 0.2 CPU, 3 masters"),
    (
        "{valkey: {ttl: 500ms, lock: yes, hits: 0.9, over: postgres}}",
        Behind(Valkey(over=Postgres(), ttl_us=500_000, lock=True, hits=0.9)),
        "valkey, 0.2 CPU, ttl 500ms, lock, hits 0.9, over postgres 0.4 CPU",
    ),
    (
        "{nats: {subscribers: 4, slow: 1, task: 5ms}}",
        Behind(Nats(consumers=4, slow=1, task_us=5_000)),
        "nats, 0.3 CPU, 4 subscribers, 1 slow, task 5ms",
    ),
    ("{nats: {stream: yes}}", Behind(Nats(stream=True)), "nats stream, 0.3 CPU, 1 subscriber"),
    (
        "{rabbitmq: {consumers: 2, prefetch: 0, kill: 3s}}",
        Behind(RabbitMQ(consumers=2, prefetch=0, kill_us=3_000_000)),
        "rabbitmq, 0.5 CPU, 2 consumers, prefetch unbounded, one killed at 3s",
    ),
]


@pytest.mark.parametrize(("given", "meant", "said"), EACH)
def test_each_value_means_one_thing_and_is_written_and_said(given: str, meant: Behind | None, said: str) -> None:
    sweep = swept(given)
    (cell,) = cells.cells(sweep)
    assert cell.what_is_behind == meant
    assert of_text(text(meant)) == meant
    assert label(cell.behind) == said
    assert parse(dump(sweep), PATH, MACHINE) == sweep


def test_lists_cross_inside_a_value_and_what_comes_to_the_same_is_there_once() -> None:
    several = found("[none, {postgres: {standbys: [0, 1], commit: [on, remote_apply]}, pool: [2, 4]}]")
    parts = [(one.part.standbys, one.part.commit, one.pool) for one in several if one]  # type: ignore[union-attr]
    assert several[0] is None
    assert parts == [(0, "on", 2), (0, "on", 4)] + [
        (1, commit, pool) for commit in ("on", "remote_apply") for pool in (2, 4)
    ]
    nested = found("{valkey: {hits: [0, 1], over: {postgres: {cpus: [0.2, 0.3]}}}}")
    assert [(one.part.hits, one.part.over.cpus) for one in nested] == [  # type: ignore[union-attr]
        (0, 0.2),
        (0, 0.3),
        (1, 0.2),
        (1, 0.3),
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("mysql", "behind: found 'mysql', allowed: `none`, `postgres`"),
        ("{postgres: {standbys: 9}}", "behind.postgres.standbys: found 9, allowed: a whole number from 0 to 4"),
        ("{postgres: {shard: 2}}", "behind.postgres.shard: found 2, allowed: one of the keys cpus, cpus_of, memory"),
        ("{postgres: {}, valkey: {}}", "allowed: one of postgres, valkey, nats, rabbitmq in each value"),
        ("{postgres: {commit: off}}", "behind.postgres.commit: found False, allowed: on or remote_apply"),
        ("{postgres: {shards: 2, standbys: 1}}", "shards: found 2, allowed: 1 with standbys or a pooler"),
        ("{postgres: {cpus: 0.1, standbys: 2}}", "cpus: found 0.1, allowed: at least 0.05 for each of 3"),
        ("{postgres: {memory: 1MiB}}", "memory: found '1MiB', allowed: a size from 96MiB to 8GiB"),
        ("{postgres: {shards: 3}}", "shards: found 3, allowed: one of 1, 2, 4, 8"),
        ("{valkey: {masters: 2}}", "behind.valkey.masters: found 2, allowed: one of 1, 3, 4, 5, 6"),
        ("{valkey: {lock: yes}}", "behind.valkey.lock: found True, allowed: nothing without over"),
        ("{valkey: {over: nats}}", "behind.valkey.over: found 'nats', allowed: none, postgres"),
        ("{nats: {stream: yes, slow: 1}}", "behind.nats.slow: found 1, allowed: 0 with a stream"),
        ("{nats: {subscribers: 1, slow: 2}}", "behind.nats.slow: found 2, allowed: a whole number from 0 to 1"),
        (
            "{rabbitmq: {consumers: 0, kill: 1s}}",
            "behind.rabbitmq.kill: found '1s', allowed: nothing without a",
        ),
        ("{rabbitmq: {prefetch: -1}}", "behind.rabbitmq.prefetch: found -1, allowed: a whole number from 0 to 65535"),
        ("{postgres: {}, pool: 0}", "behind.pool: found 0, allowed: a whole number from 1 to 256"),
        ("{postgres: {}, wait: 2m}", "behind.wait: found '2m', allowed: a duration from 1ms to 60s"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_with_its_place(given: str, said: str) -> None:
    with pytest.raises(UserError) as refused:
        swept(given)
    (line,) = str(refused.value).splitlines()
    assert line.startswith("made.yaml:6: ")
    assert said in line


@pytest.mark.parametrize(
    ("behind", "machine", "said"),
    [
        ("{postgres: {cpus: 0.8}}", Machine(1, 8 * 2**30), "1.1 in all, allowed: at most the 1 CPUs of this machine"),
        ("{rabbitmq: {consumers: 4}}", Machine(1, 8 * 2**30), "and 0.9 for what is behind"),
        ("rabbitmq", Machine(2, 512 * 2**20), "allowed: at most the 512MiB of this machine"),
    ],
)
def test_limits_that_add_up_to_more_than_there_is_are_refused(behind: str, machine: Machine, said: str) -> None:
    with pytest.raises(UserError, match=r"made\.yaml") as refused:
        swept(behind, machine)
    assert said in str(refused.value)


def test_the_sum_counts_every_container() -> None:
    sums = [
        ("{postgres: {cpus: 0.4, standbys: 2}}", 0.4),
        ("{postgres: {cpus: 0.4, standbys: 2, cpus_of: each}}", 1.2),
        ("{postgres: {cpus: 0.4, pooler: pgbouncer}}", 0.5),
        ("{postgres: {cpus: 0.4, shards: 4}}", 0.55),
        ("{valkey: {cpus: 0.3, masters: 3, over: {postgres: {cpus: 0.4}}}}", 0.7),
        ("{nats: {cpus: 0.3, subscribers: 16, consumer_cpus: 0.05}}", 1.1),
    ]
    for given, cpus in sums:
        (cell,) = cells.cells(swept(given))
        assert fitting.cpus_of_all(cell) == pytest.approx(cpus + 0.3)


def test_servers_with_something_behind_them_are_images_of_their_own() -> None:
    sweep = swept("[none, {valkey: {over: {postgres: {pooler: pgbouncer}}}}, rabbitmq]")
    assert server_images(sweep) == ["spmt", "spmt-behind"]
    assert parts_behind(sweep) == ["consumer", "pgbouncer", "postgres", "rabbitmq", "valkey"]
    assert parts_behind(swept("none")) == []
