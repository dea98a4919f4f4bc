"""Gateways as they are: HAProxy and Envoy before three services and a store, asked for twice what they let through."""

from pathlib import Path

import pytest

from testbed.names import FRONTS, http_name
from testbed.plan.fields import GATEWAYS
from testbed.stack import machine
from tests.e2e.built import built
from tests.e2e.stack import containers_of, networks_of, orchestrate, terminal, wait_for_container
from tests.e2e.test_sweep import results_of, write_sweep
from tests.parts.test_scaling import Found, found_in

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timed,
    pytest.mark.usefixtures("images", "images_gateway"),
    pytest.mark.timeout(300),
]

SERVICES = {
    "reads": {"share": 4, "model": "thread-pool", "read": True, "cpus": 0.15},
    "computes": {"model": "prefork", "spin": "1ms", "cpus": 0.15},
    "waits": {"share": 3, "sleep": "5ms", "cpus": 0.1},
}
USUAL = {
    "models": ["event-loop"],
    "limits": {"cpus": 0.4, "memory": "64MiB"},
    "workload": {"protocol": "http", "keys": 100},
    "behind": {"valkey": {"cpus": 0.1}},
    "services": SERVICES,
    "load": {"mode": "open", "rate": 200, "users": 16},
    "warmup": "1s",
    "duration": "3s",
}
LIMIT = 100


@pytest.fixture(scope="session")
def images_gateway() -> None:
    """Those of the gateways, of servers behind them, and of what these read."""
    machine.require_docker()
    models = ("thread-pool", "prefork", "event-loop")
    built([*FRONTS, "envoy", "valkey", *map(http_name, models)])


@pytest.fixture(scope="module")
def trials(images: None, images_gateway: None, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Found]:
    """What each trial of one sweep has left, by gateway."""
    name, directory = "test-gateway", tmp_path_factory.mktemp("gateway")
    front = {"front": {"kind": list(GATEWAYS), "cpus": 0.4, "auth": "key", "rate_limit": LIMIT}}
    path = write_sweep(directory, name, **USUAL, **front)
    done = orchestrate("sweep", path, "--results", directory / "results")
    assert done.returncode == 0, done.stdout + done.stderr
    assert containers_of(name) == [] == networks_of(name)
    results, rows = results_of(directory / "results")
    return {row["front"]: found_in(results, row) for row in rows}


@pytest.mark.parametrize("front", GATEWAYS)
def test_every_request_is_counted_where_it_was_and_what_was_refused_twice(trials: dict[str, Found], front: str) -> None:
    found = trials[front]
    what = (front, found.record["reasons"])
    assert found.record["status"] == "ok", what
    passed = (
        *("conservation", "limited", "routes", "connections"),
        *("server_survived", "front_survived", "verification", "model_shape"),
    )
    assert dict.fromkeys(passed, "pass").items() <= found.gates.items(), what
    assert found.record["failed"] == 0, what
    assert "no key is answered 401" in [check["name"] for check in found.record["verification"]]
    limited = {name: one["limited"] for name, one in found.record["by_service"].items()}
    assert all(limited.values()), what
    assert sum(limited.values()) == found.record["limited"], what
    assert 0.4 < found.record["limited_share"] < 0.6, what
    assert found.record["throughput_rps"] == pytest.approx(LIMIT, rel=0.1), what


@pytest.mark.parametrize("front", GATEWAYS)
def test_each_service_has_its_share_its_work_and_its_model(trials: dict[str, Found], front: str) -> None:
    found = trials[front]
    by_service = found.record["by_service"]
    asked = {name: one["ok"] + one["limited"] for name, one in by_service.items()}
    assert sum(asked.values()) == found.record["ok"] + found.record["limited"]
    assert {name: round(8 * count / sum(asked.values())) for name, count in asked.items()} == {
        "reads": 4,
        "computes": 1,
        "waits": 3,
    }
    assert by_service["waits"]["latency_us"]["min"] >= 5_000 > by_service["reads"]["latency_us"]["min"]
    reports = found.record["exit_reports"]
    # The file's keys are sorted.
    assert set(reports) == {"prefork-1", "thread-pool-2", "event-loop-3"}
    # What stands behind them one service alone is asked for; the check before the load reads of each.
    read = {name: report["behind"]["reads"] for name, report in reports.items()}
    assert read["thread-pool-2"] > by_service["reads"]["ok"] > 5 * read["event-loop-3"]


def test_a_gateway_or_a_service_that_dies_in_the_window_is_named(tmp_path: Path, name: str) -> None:
    fixed = {**USUAL, "duration": "4s", "behind": "none"}
    fixed["services"] = {one: {"share": 1} for one in ("first", "second")}
    path, root = write_sweep(tmp_path, name, **fixed, front={"kind": list(GATEWAYS), "cpus": 0.4}), tmp_path / "results"
    with terminal("sweep", path, "--results", root) as shown:
        for trial, victim in (("001", "front"), ("002", "event-loop-2")):
            shown.wait_for(f"{trial}-b1-event-loop-0.4cpu window")
            wait_for_container(name, victim).kill()
        assert shown.end() == 1, shown.output
    _results, rows = results_of(root)
    assert [row["verdict"] for row in rows] == ["invalid", "invalid"]
    assert "front ended during the window" in rows[0]["reasons"]
    assert "event-loop-2 ended during the window" in rows[1]["reasons"]
    assert containers_of(name) == [] == networks_of(name)
