"""A mesh as it is: real Envoys before and beside real servers, of which one fails on purpose in each way there is."""

import json
from pathlib import Path
from typing import Any

import pytest

from testbed.names import FRONTS, http_name
from tests.e2e.built import built
from tests.e2e.compose import docker
from tests.e2e.stack import containers_of, networks_of, orchestrate, terminal, wait_for_container
from tests.e2e.test_sweep import results_of, write_sweep
from tests.parts.test_scaling import Found, found_in
from tests.waiting import wait_until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timed,
    pytest.mark.usefixtures("images", "images_mesh"),
    pytest.mark.timeout(300),
]

OF_ALL = {"at": "1s", "replica": 2}
FAULTS: dict[str, dict[str, Any]] = {
    "stopped": {"is": "stopped", "for": "1500ms", **OF_ALL},
    "failing": {"is": "failing", "for": "1500ms", **OF_ALL},
    "slow": {"is": "slow", "for": "1500ms", "by": "1s", **OF_ALL},
}
USUAL: dict[str, Any] = {
    "models": ["event-loop"],
    "limits": {"cpus": 0.3, "memory": "64MiB"},
    "replicas": {"count": 2},
    "workload": {"protocol": "http"},
    "sidecar": {"kind": "envoy", "cpus": 0.1},
    "load": {"mode": "open", "rate": 60, "users": 64},
    "warmup": "1s",
    "duration": "5s",
}
RESILIENT = {"kind": ["envoy", "haproxy"], "cpus": 0.3, "timeout": "300ms", "retries": 2, "eject": 3, "eject_for": "2s"}
SIDECARS = [f"event-loop-{n + 1}-sidecar" for n in range(2)]


@pytest.fixture(scope="session")
def images_mesh() -> None:
    """Those of both fronts, and of the servers behind them."""
    built([*FRONTS, "envoy", *map(http_name, ("event-loop", "spst"))])


@pytest.fixture(scope="module")
def trials(images: None, images_mesh: None, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Found]:
    """What each trial of one sweep has left, by front and fault."""
    name, directory = "test-mesh", tmp_path_factory.mktemp("mesh")
    others = [fault for kind, fault in FAULTS.items() if kind != "stopped"]
    path = write_sweep(
        directory,
        name,
        **USUAL,
        front=RESILIENT,
        fault=list(FAULTS.values()),
        exclude=[{"front": "haproxy", "fault": others}],
    )
    done = orchestrate("sweep", path, "--results", directory / "results")
    assert done.returncode == 0, done.stdout + done.stderr
    assert containers_of(name) == [] == networks_of(name)
    results, rows = results_of(directory / "results")
    return {(row["front"], json.loads(row["fault"])["is"]): found_in(results, row) for row in rows}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_trial_is_valid_and_counts_add_up_at_each_hop(trials: dict[tuple[str, str], Found], fault: str) -> None:
    found = trials["envoy", fault]
    what = (fault, found.record["reasons"], found.gates)
    assert found.record["status"] == "ok", what
    passed = ("conservation", "connections", "server_survived", "front_survived", "sidecar_survived", "model_shape")
    assert dict.fromkeys(passed, "pass").items() <= found.gates.items(), what
    assert set(SIDECARS) <= found.boxes.keys()
    assert all(found.boxes[name]["cpu_used_s"] > 0 for name in SIDECARS), what
    assert found.record["sidecar_cpu_us_per_request"] > 0
    # The accept queue of each is its own; what overflowed is of both.
    assert found.boxes["event-loop-1"]["accept_queue_max"] is not None
    assert found.boxes["event-loop-1"]["listen_overflows"] is None
    # No try is given up for nothing.
    assert found.record["failed"] == 0, what


@pytest.mark.parametrize("fault", FAULTS)
def test_a_server_that_fails_is_left_out_and_taken_back(trials: dict[tuple[str, str], Found], fault: str) -> None:
    record = trials["envoy", fault].record
    begun, ended = record["actions"]
    assert (begun["what"], begun["done"], begun["said"]) == ("event-loop-2", True, []), begun
    assert begun["at_s"] == pytest.approx(1.0, abs=0.5)
    assert (ended["to"], ended["done"]) == ("as usual", True), ended
    assert record["front_retries"] > 0 and record["amplification"] > 1
    assert 0 < record["ejected_after_s"] < 2, record
    assert record["back_after_s"] is not None, record["ejections"]
    assert {one["server"] for one in record["ejections"]} == {"event-loop-2"}


def test_a_balancer_of_connections_goes_on_to_use_a_server_that_stands_still(
    trials: dict[tuple[str, str], Found],
) -> None:
    through, tried = (trials[front, "stopped"].record for front in ("haproxy", "envoy"))
    assert through["status"] == "ok", through["reasons"]
    assert (through["ejected_after_s"], through["front_retries"], through["failed"]) == (None, None, 0)
    # Half of what came while it stood still waited until it went on.
    assert through["latency_max_us"] > 1_000_000 > tried["latency_max_us"]
    assert through["outage_s"] > 0.5


@pytest.fixture(scope="module")
def alone(images: None, images_mesh: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Found]:
    """One server that the load goes straight to, with a sidecar, by its model: the second is asked to crash."""
    name, directory = "test-mesh-alone", tmp_path_factory.mktemp("alone")
    crash = {"is": "crashed", "at": "500ms"}
    fixed = {**USUAL, "replicas": {"count": 1}, "models": ["spst", "event-loop"], "duration": "3s"}
    left_out = [{"model": "spst", "fault": crash}, {"model": "event-loop", "fault": "none"}]
    path = write_sweep(directory, name, **fixed, fault=["none", crash], exclude=left_out)
    done = orchestrate("sweep", path, "--results", directory / "results")
    assert done.returncode == 0, done.stdout + done.stderr
    results, rows = results_of(directory / "results")
    return {row["model"]: found_in(results, row) for row in rows}


def test_a_sidecar_stands_before_one_server_as_well(alone: dict[str, Found]) -> None:
    found = alone["spst"]
    assert found.record["status"] == "ok", found.record["reasons"]
    passed = ("conservation", "connections", "sidecar_survived", "verification", "model_shape")
    assert dict.fromkeys(passed, "pass").items() <= found.gates.items(), found.gates
    # The server has room for one, and the sidecar keeps the others.
    beside = found.boxes["spst-sidecar"]
    assert beside["connections"] > beside["connections_made"] == 1


def test_a_server_that_was_asked_to_crash_is_a_result(alone: dict[str, Found]) -> None:
    record = alone["event-loop"].record
    assert (record["status"], record["outage_over"]) == ("ok", False), record["reasons"]
    assert record["outage_s"] > 1 and record["failed"] > 0
    assert alone["event-loop"].boxes["event-loop"]["ended"].endswith("exit code 139, SIGSEGV")


def test_a_sidecar_that_dies_in_the_window_is_named(tmp_path: Path, name: str) -> None:
    path = write_sweep(tmp_path, name, **USUAL, front="dns")
    with terminal("sweep", path, "--results", tmp_path / "results") as shown:
        shown.wait_for("001-b1-event-loop-0.3cpu window")
        wait_for_container(name, SIDECARS[1]).kill()
        assert shown.end() == 1, shown.output
    _results, (row,) = results_of(tmp_path / "results")
    assert (row["verdict"], "event-loop-2-sidecar ended during the window" in row["reasons"]) == ("invalid", True), row
    assert containers_of(name) == [] == networks_of(name)


def test_an_interrupt_while_a_replica_stands_still_leaves_nothing(tmp_path: Path, name: str) -> None:
    fault = {"is": "stopped", "at": "2s"}
    path = write_sweep(tmp_path, name, **{**USUAL, "duration": "30s", "sidecar": "none"}, front="dns", fault=fault)
    with terminal("sweep", path, "--results", tmp_path / "results") as shown:
        shown.wait_for("001-b1-event-loop-0.3cpu window")
        server = wait_for_container(name, "event-loop-1")
        wait_until(lambda: _state(server.id)["Paused"], "the replica to stand still")
        shown.interrupt()
        assert shown.end() == 130, shown.output
    assert containers_of(name) == [] == networks_of(name)


def _state(container: str) -> dict[str, Any]:
    return dict(json.loads(docker("inspect", container))[0]["State"])
