"""Trials of several replicas, of fronts, and of what changes while the load is on: real Docker, real counts."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.stack import containers_of, networks_of, orchestrate, terminal, wait_for_container
from tests.e2e.test_sweep import results_of, write_sweep

pytestmark = [pytest.mark.e2e, pytest.mark.timed, pytest.mark.usefixtures("images")]

NAME = "test-scaling"
ONE, TWO, THREE = "thread-pool-1", "thread-pool-2", "thread-pool-3"
CHANGES: dict[str, dict[str, Any]] = {
    "cpus": {"change": "cpus", "steps": [{"at": "1s", "to": 0.8}, {"at": "3s", "to": 0.2}]},
    "replicas": {"change": "replicas", "steps": [{"at": "500ms", "to": 3}, {"at": "4500ms", "to": 2}]},
    # A load that is far above what it asks for: it takes all that it may.
    "law": {"change": "replicas", "on": "cpu", "target": 0.05, "min": 1, "max": 3, "every": "1s"},
}
# The pool is small enough for the front to hold back what a server has no place for.
REPLICATED: dict[str, Any] = {
    "models": ["thread-pool"],
    "pools": {"threads": 4},
    "limits": {"cpus": 0.4, "memory": "64MiB"},
    "replicas": {"count": 2, "cpus": "each"},
    "workload": {"spin": "1ms", "connection": "per-request"},
}
LOAD: dict[str, Any] = {"mode": "open", "rate": 100, "users": 16}


@dataclass(frozen=True)
class Found:
    """What a trial has left: its record, and what the load generator wrote."""

    record: dict[str, Any]
    load: dict[str, Any]

    @property
    def uncertain(self) -> int:
        """Requests of which the client does not know whether they came to anything."""
        totals = self.load["totals"]
        uncertain: int = totals["in_flight"] + sum(totals["failures"].values())
        return uncertain

    @property
    def gates(self) -> dict[str, str]:
        return {gate["name"]: gate["status"] for gate in self.record["gates"]}

    @property
    def accepted(self) -> dict[str, int]:
        """Connections by each server's own count."""
        return {name: report["accepted"] for name, report in self.record["exit_reports"].items() if report}

    @property
    def boxes(self) -> dict[str, dict[str, Any]]:
        return {box["name"]: box for box in self.record["boxes"]}

    @property
    def handed(self) -> dict[str, int]:
        """Connections that the front has made to each server."""
        return {name: one["connections"] for name, one in self.record["front_counts"]["servers"].items()}


def found_in(results: Path, row: dict[str, str]) -> Found:
    trial = results / "trials" / row["trial_id"]
    # A trial that came to no end has none of its load.
    record, load = (trial / name for name in ("trial.json", "load.json"))
    return Found(json.loads(record.read_text()), json.loads(load.read_text()) if load.exists() else {})


@pytest.fixture(scope="module")
def sweep(images: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Found]:
    """One sweep with every trial that is looked at here: by its front, or by what changes it."""
    directory = tmp_path_factory.mktemp("scaling")
    path = write_sweep(
        directory,
        NAME,
        **REPLICATED,
        load=LOAD | {"dns": "each"},
        front={"kind": ["haproxy", "nginx", "dns"], "cpus": 0.4, "queue": "front"},
        scaling=["none", *CHANGES.values()],
        exclude=[{"front": ["nginx", "dns"], "scaling": list(CHANGES.values())}],
        duration="7s",
    )
    done = orchestrate("sweep", path, "--results", directory / "results")
    assert done.returncode == 0, done.stdout + done.stderr
    results, rows = results_of(directory / "results")
    assert (containers_of(NAME), networks_of(NAME)) == ([], [])
    assert not list((results / "trials").glob("*/.*"))
    keys = ["haproxy", *CHANGES, "nginx", "dns"]
    return dict(zip(keys, (found_in(results, row) for row in rows), strict=True))


@pytest.mark.parametrize("key", ["haproxy", "nginx", "dns", *CHANGES])
def test_a_trial_of_replicas_is_valid_and_every_reply_is_accounted_for(sweep: dict[str, Found], key: str) -> None:
    found = sweep[key]
    assert found.record["status"] == "ok", found.record["reasons"]
    assert found.load["ok"] > 0
    wanted = dict.fromkeys(("conservation", "server_survived", "verification", "model_shape"), "pass")
    wanted |= {} if key == "dns" else {"connections": "pass", "front_survived": "pass"}
    assert wanted.items() <= found.gates.items()
    # Containers that start can take the client's processors, where it has none to itself.
    expected = {"transient"} if key in CHANGES else {"server-bound", "front-bound", "not-saturated"}
    assert found.record["verdict"] in {*expected, "client-bound"}


def test_what_haproxy_gave_each_replica_is_what_that_replica_reports(sweep: dict[str, Found]) -> None:
    found = sweep["haproxy"]
    assert found.record["queue"] == "front"
    assert set(found.accepted) == set(found.handed) == {ONE, TWO}
    # The rest are checks, made past the front: as many to one as to the other.
    for name in (ONE, TWO):
        past = found.accepted[name] - found.handed[name]
        assert past > 0
        assert abs(past - found.record["direct_connections"] / 2) <= found.uncertain
    assert min(found.handed.values()) > 100


def test_what_nginx_took_is_what_its_replicas_report(sweep: dict[str, Found]) -> None:
    found = sweep["nginx"]
    taken = found.record["front_counts"]["connections"]
    made = sum(found.load["connections"].values()) + found.record["check_connections"]
    assert made <= taken + found.uncertain
    assert abs(sum(found.accepted.values()) - taken - found.record["direct_connections"]) <= found.uncertain
    assert min(found.accepted.values()) > 100


def test_what_clients_made_to_each_address_is_what_that_replica_reports(sweep: dict[str, Found]) -> None:
    found = sweep["dns"]
    made = found.load["connections"]
    assert len(made) == len(found.accepted) == 2
    # Checks went to one as often as to the other, but for those on the way of the load, which went to either: so the
    # order of the counts tells which address is whose.
    either = found.record["check_connections"] + found.load["replies_to_checks"]
    pairs = list(zip(sorted(made.values()), sorted(found.accepted.values()), strict=True))
    for sent, taken in pairs:
        low = sent + found.record["direct_connections"] / 2
        assert low - found.uncertain <= taken <= low + either + found.uncertain
    added = sum(taken - sent for sent, taken in pairs)
    assert abs(added - found.record["direct_connections"] - either) <= found.uncertain
    assert min(made.values()) > 100


def test_steps_of_cpus_come_into_force_while_the_load_is_on(sweep: dict[str, Found]) -> None:
    record = sweep["cpus"].record
    assert [(one["what"], one["was"], one["to"], one["done"]) for one in record["actions"]] == [
        ("cpus", 0.4, 0.8, True),
        ("cpus", 0.8, 0.2, True),
    ]
    assert all(one["took_s"] > 0 for one in record["actions"])
    assert [one["cpus"] for one in record["provision"]] == [0.8, 1.6, 0.4]
    assert {one["serving"] for one in record["provision"]} == {2}
    # Judged by the most that was in force.
    assert {sweep["cpus"].boxes[name]["cpu_limit"] for name in (ONE, TWO)} == {0.8}


def test_a_replica_joins_serves_and_another_change_takes_it_out(sweep: dict[str, Found]) -> None:
    found = sweep["replicas"]
    actions = found.record["actions"]
    assert [(one["was"], one["to"], one["done"]) for one in actions] == [(2, 3, True), (3, 2, True)], actions
    assert all(one["took_s"] > 0 for one in actions)
    serving = [one["serving"] for one in found.record["provision"]]
    assert (serving[0], max(serving), serving[-1]) == (2, 3, 2)
    assert found.record["provision"][-1]["running"] == 2
    joined = found.boxes[THREE]
    assert (joined["joined"], joined["removed"], joined["ended"]) == (True, True, "")
    assert joined["cpu_used_s"] > 0
    assert joined["served"] >= found.handed[THREE] - found.uncertain
    assert found.handed[THREE] > 0
    assert found.accepted[THREE] > found.handed[THREE] - found.uncertain


def test_a_law_on_cpu_starts_a_replica_and_says_why(sweep: dict[str, Found]) -> None:
    found = sweep["law"]
    (action,) = found.record["actions"]
    assert (action["what"], action["was"], action["to"], action["done"]) == ("replicas", 2, 3, True), action
    assert "cpu" in action["reason"].lower()
    assert [one["serving"] for one in found.record["provision"]][-1] == 3
    assert found.handed[THREE] > 0
    assert found.boxes[THREE]["cpu_used_s"] > 0


def test_what_is_killed_in_a_window_fails_its_trial_by_name_and_no_other(tmp_path: Path, name: str) -> None:
    front = {"kind": "haproxy", "cpus": 0.4, "queue": "front"}
    path = write_sweep(tmp_path, name, **REPLICATED, load=LOAD, front=front, repeat=3, duration="4s")
    with terminal("sweep", path, "--results", tmp_path / "results") as shown:
        shown.wait_for("001-b1-thread-pool-0.4cpu window")
        wait_for_container(name, TWO).kill()
        shown.wait_for("002-b2-thread-pool-0.4cpu window")
        wait_for_container(name, "front").kill()
        assert shown.end() == 1, shown.output
    assert "Traceback" not in shown.output
    results, rows = results_of(tmp_path / "results")
    assert [row["status"] for row in rows] == ["failed", "failed", "ok"], [row["reasons"] for row in rows]
    replica_died, front_died, unharmed = (found_in(results, row) for row in rows)

    # The other replica goes on to the end, and what it counted is there.
    gate = next(one for one in replica_died.record["gates"] if one["name"] == "server_survived")
    assert gate["status"] == "fail"
    assert f"{TWO} ended during the window: exit code 137" in gate["found"]
    assert replica_died.gates["completed"] == "pass"
    assert list(replica_died.accepted) == [ONE]
    assert replica_died.boxes[ONE]["served"] > 100
    assert replica_died.boxes[ONE]["cpu_used_s"] > 0

    assert front_died.record["verdict"] == "invalid"
    reasons = front_died.record["reasons"]
    assert any("front" in reason and "ended during the window: exit code 137" in reason for reason in reasons), reasons
    assert all("\n" not in reason for reason in reasons)
    assert set(unharmed.accepted) == {ONE, TWO}
