"""What stands behind the servers as services of a trial, and what the servers are told of it."""

from pathlib import Path
from typing import Any

import pytest

from testbed.errors import UserError
from testbed.parts import behind, deliveries, manifests
from testbed.parts import trial as parts
from testbed.plan.fields import Machine
from testbed.plan.sweepfile import parse
from testbed.plan.trials import Trial
from testbed.stack import compose, secret, server_services, system
from testbed.stack.compose import compose_text
from testbed.stack.cpus import CpuSets
from testbed.stack.naming import HOLDER
from testbed.stack.run import Run
from testbed.stack.services import Service, Stack
from tests.unit.testbed.stack.golden_cases import MODELS, run_of, trial_of

RUN = Run(**run_of({}))


def trial(stands: str, more: str = "", model: str = "spmt") -> Trial:
    return trial_of(f"models: {model}\nlimits: {{cpus: 0.5}}\nbehind: {stands}\n{more}")


def stack(stands: str, more: str = "") -> Stack:
    return parts.stack(RUN, MODELS, trial(stands, more))


def told(service: Service) -> dict[str, Any]:
    """Its environment without what every part has."""
    return {name: value for name, value in service.environment.items() if name not in ("CPUS", "MEMORY_BYTES")}


def of(stands: str) -> dict[str, Service]:
    return {one.name: one for one in behind.services(RUN, trial(stands))}


def test_with_nothing_behind_a_trial_is_as_it_was() -> None:
    plain = parts.boxes(RUN, trial("none"))
    assert plain == server_services.servers(RUN, trial("none"))
    assert plain[0].secrets == ()


def test_every_part_is_measured_confined_and_limited_and_starts_before_the_servers() -> None:
    made = stack("{postgres: {cpus: 0.3, standbys: 2, pooler: pgbouncer, memory: 96MiB}}")
    names = [one.name for one in system.measured(made)]
    assert names == ["postgres", "standby-1", "standby-2", "pgbouncer", "spmt"]
    for name in names[:3]:
        service = made.service(name)
        assert (service.role, service.image) == ("store", "threadmill/postgres")
        assert (service.limits.cpus, service.limits.memory_bytes) == (pytest.approx(0.1), 96 * 2**20)
        assert service.limits.tasks
        assert service.scratch == ("/tmp",)
        assert service.network == made.service("spmt").network
    assert made.service("pgbouncer").environment["POSTGRES"] == "postgres"
    assert made.service("spmt").image == "threadmill/spmt-behind"


@pytest.mark.parametrize(
    ("stands", "expected"),
    [
        ("postgres", {"BEHIND": "postgres", "BEHIND_WRITE": "postgres:5432"}),
        (
            "{postgres: {standbys: 2, reads: standby}}",
            {
                "BEHIND": "postgres",
                "BEHIND_WRITE": "postgres:5432",
                "BEHIND_READ": "standby-1:5432,standby-2:5432",
            },
        ),
        ("{postgres: {pooler: pgbouncer}}", {"BEHIND": "postgres", "BEHIND_WRITE": "pgbouncer:5432"}),
        ("{postgres: {shards: 2}}", {"BEHIND": "postgres", "BEHIND_WRITE": "shards:5432"}),
        ("{valkey: {masters: 3}}", {"BEHIND": "valkey", "BEHIND_CACHE": "valkey-1:6379,valkey-2:6379,valkey-3:6379"}),
        (
            "{valkey: {ttl: 500ms, lock: yes, hits: 0.5, over: postgres}}",
            {
                "BEHIND": "valkey+postgres",
                "BEHIND_CACHE": "valkey-1:6379",
                "CACHE_TTL": "0.5",
                "CACHE_LOCK": "1",
                "CACHE_SHARE": "0.5",
                "BEHIND_WRITE": "postgres:5432",
            },
        ),
        ("nats", {"BEHIND": "nats", "BEHIND_WRITE": "nats:4222"}),
        ("{nats: {stream: yes}}", {"BEHIND": "jetstream", "BEHIND_WRITE": "nats:4222"}),
        ("rabbitmq", {"BEHIND": "rabbitmq", "BEHIND_WRITE": "rabbitmq:5672"}),
    ],
)
def test_what_a_server_is_told(stands: str, expected: dict[str, str]) -> None:
    server = stack(stands).service("spmt")
    is_store = not {"nats", "jetstream", "rabbitmq"} & {expected["BEHIND"]}
    common = {"BEHIND_POOL": "4", "BEHIND_WAIT": "1", "VALUE_BYTES": "100" if is_store else "0"}
    plain = stack("none").service("spmt").environment
    assert dict(server.environment) == {**plain, **expected, **common}
    assert server.secrets == (secret.VARIABLE,)


def test_several_servers_behind_a_front_have_the_same_behind_them() -> None:
    made = stack("valkey", "replicas: {count: 2}\nfront: haproxy\n")
    assert [one.name for one in system.measured(made)] == ["valkey-1", "spmt-1", "spmt-2", "front"]
    for name in ("spmt-1", "spmt-2"):
        assert made.service(name).environment["BEHIND_CACHE"] == "valkey-1:6379"
        assert made.service(name).image == "threadmill/spmt-behind"
    assert made.service("front").secrets == ()


def test_in_the_loads_namespace_a_server_reaches_what_is_behind_it_over_the_loads_network() -> None:
    shared = Run(**run_of({}) | {"shared": True})
    made = parts.stack(shared, MODELS, trial("valkey", "network: shared\n"))
    assert made.service("spmt").in_network_of == HOLDER
    assert made.service("valkey-1").network == made.service(HOLDER).network


def test_where_servers_have_processors_of_their_own_what_is_behind_has_those_that_are_left() -> None:
    sets = CpuSets(server="2-5", generator="1", rest="0", isolated=True, notes=())
    pinned = Run(**run_of({}) | {"cpu_sets": sets})
    of_its_own = trial_of("models: spmt\nlimits: {cpus: 2, limit: cpuset}\nbehind: valkey\n")
    assert parts.stack(pinned, MODELS, of_its_own).service("valkey-1").limits.processors == "4-5"
    assert parts.stack(pinned, MODELS, trial("valkey")).service("valkey-1").limits.processors == "2-5"


def test_what_databases_are_told() -> None:
    found = of("{postgres: {standbys: 2, reads: standby, commit: remote_apply, cost: 2ms}}")
    stored = {"KEYS": "10000", "VALUE_BYTES": "100", "READ_COST_US": "2000"}
    assert told(found["postgres"]) == {**stored, "ROLE": "primary", "COMMIT": "remote_apply", "STANDBYS": "2"}
    assert told(found["standby-2"]) == {**stored, "ROLE": "standby", "PRIMARY": "postgres", "STANDBY": "standby-2"}
    sharded = of("{postgres: {shards: 2}}")
    assert list(sharded) == ["shard-1", "shard-2", "shards"]
    assert told(sharded["shard-2"])["SHARD"] == "1"
    assert told(sharded["shards"]) == {"ROLE": "router", "SHARDS": "shard-1 shard-2"}


def test_what_caches_and_brokers_are_told() -> None:
    masters = of("{valkey: {masters: 3}}")
    assert told(masters["valkey-3"])["MASTERS"] == "valkey-1 valkey-2 valkey-3"
    assert told(masters["valkey-3"])["PRELOAD"] == "1"
    over = of("{valkey: {over: postgres}}")
    assert list(over) == ["postgres", "valkey-1"]
    assert told(over["valkey-1"])["PRELOAD"] == "0"
    slow = of("{nats: {subscribers: 3, slow: 1, task: 5ms}}")
    assert [one.environment.get("TASK_US") for one in slow.values()] == [None, "0", "0", "5000"]
    every = of("{rabbitmq: {consumers: 2, task: 5ms, prefetch: 7}}")
    assert [one.environment.get("TASK_US") for one in every.values()] == [None, "5000", "5000"]
    consumer = every["consumer-2"]
    assert consumer.environment["PREFETCH"] == "7"
    name = behind.delivered_file(trial("rabbitmq").trial_id, "consumer-2")
    assert consumer.environment["OUTPUT"] == f"{consumer.mounts[0].at}/{name}"
    assert told(of("{nats: {stream: yes}}")["nats"]) == {"STREAM": "1"}


def test_a_password_is_in_no_file_and_compose_says_what_it_wants(monkeypatch: pytest.MonkeyPatch) -> None:
    text = compose_text(compose.project(stack("postgres"), {"load": "../../load"}))
    assert text.count("${BEHIND_PASSWORD:?") == 2
    assert secret.password() not in text
    assert len(secret.password()) == 32
    assert secret.environment() == {"BEHIND_PASSWORD": secret.password()}


def test_on_a_swarm_and_for_kubernetes_it_is_refused_in_a_line() -> None:
    sweep = "name: made\nmodels: spmt\nbehind: {}\n"
    with pytest.raises(UserError, match=r"^made.yaml:3: behind: found postgres, 0.4 CPU, allowed: none on a Swarm"):
        parse(sweep.format("postgres"), Path("made.yaml"), Machine(4, 8 * 2**30, ("overlay",)))
    here = Machine(4, 8 * 2**30)
    with pytest.raises(UserError, match="behind: found in every cell, allowed for Kubernetes: none"):
        manifests.manifests(parse(sweep.format("postgres"), Path("made.yaml"), here), "1:1")
    mixed = manifests.manifests(parse(sweep.format("[none, postgres]"), Path("made.yaml"), here), "1:1")
    assert mixed.cells == 1
    assert any(line.startswith("behind: not written: 002-spmt-1cpu") for line in mixed.not_done)


# --- what became of messages ---


@pytest.mark.parametrize(
    ("notes", "sent", "unsure", "late", "fans_out", "expected"),
    [
        ([["a", "b"], ["c"]], 3, 0, 0, False, (3, 3, 3, 0, 0)),
        ([["a", "b"], ["b"]], 3, 0, 0, False, (3, 3, 2, 1, 1)),
        ([["a", "b"], ["b"]], 3, 0, 1, False, (3, 3, 2, 1, 0)),
        ([["a", "a"]], 1, 0, 0, False, (1, 2, 1, 1, 0)),
        # One that was taken though its confirmation did not come back would hide one that was lost.
        ([["a", "b"]], 1, 1, 0, False, (1, 2, 2, 0, 0)),
        ([["a", "b"]], 2, 1, 0, False, (2, 2, 2, 0, None)),
        ([["a"]], None, 0, 0, False, (None, 1, 1, 0, None)),
        ([["a"]], 1, None, 0, False, (1, 1, 1, 0, None)),
        ([["a"]], 2, 0, None, False, (2, 1, 1, 0, None)),
        ([], 2, 0, 0, False, (2, 0, 0, 0, 2)),
        ([["a", "b"], ["a", "b"]], 2, 0, 0, True, (2, 4, 2, 0, 0)),
        ([["a", "b"], ["b", "b"]], 2, 0, 0, True, (2, 4, 2, 1, 1)),
        ([["a"], []], None, 0, 0, True, (None, 1, 1, 0, None)),
    ],
)
def test_messages_are_done_once_or_twice_or_lost(
    notes: list[list[str]],
    sent: int | None,
    unsure: int | None,
    late: int | None,
    fans_out: bool,
    expected: tuple[int | None, ...],
) -> None:
    found = deliveries.account(notes, sent, unsure, late, fans_out)
    assert found == deliveries.Deliveries(*expected, late)  # type: ignore[arg-type]
