"""Servers that speak HTTP: trials in every kind of setting, judged as those over lines are."""

from typing import Any

import pytest

from tests.e2e.stack import containers_of, networks_of, orchestrate
from tests.e2e.test_sweep import results_of, write_sweep
from tests.parts.conftest import OVER_HTTP
from tests.parts.test_scaling import Found, found_in

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timed,
    pytest.mark.usefixtures("images", "images_http", "images_behind"),
    pytest.mark.timeout(300),
]

OPEN = {"mode": "open", "rate": 60, "users": 8}
# One that serves so many connections and no more would leave others waiting for good.
SHORT = {"protocol": "http", "connection": "per-request"}
EACH = {"count": 2, "cpus": "each"}
SWEEPS: dict[str, dict[str, Any]] = {
    "closed": {"workload": {"protocol": "http"}},
    "work": {"workload": {**SHORT, "sleep": "1ms", "spin": "200us", "hash": "200us"}, "load": OPEN},
    "replicas": {
        "workload": SHORT,
        "load": {**OPEN, "dns": "each"},
        "replicas": EACH,
        "front": "dns",
        "models": ["spst", "prefork"],
    },
    "front": {
        "workload": {"protocol": "http", "connection": {"requests": 5}},
        "load": OPEN,
        "replicas": EACH,
        "front": {"kind": ["haproxy", "nginx"], "cpus": 0.4},
        "limits": {"cpus": 0.3},
        "models": ["spmt", "event-loop"],
    },
    "behind": {
        "workload": {**SHORT, "keys": 100, "reads": 0.8},
        "load": OPEN,
        "behind": {"postgres": {"cpus": 0.4}},
        "models": ["spmt", "event-loop"],
    },
    "both": {"workload": {"protocol": ["line", "http"], "cache_control": "max-age=2"}, "models": ["event-loop"]},
}


@pytest.fixture(scope="module", params=SWEEPS)
def sweep(
    request: pytest.FixtureRequest,
    images: None,
    images_http: None,
    images_behind: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[str, list[Found]]:
    """One sweep with everything of one kind, and what each of its trials has left."""
    kind = str(request.param)
    name = f"test-http-{kind}"
    directory = tmp_path_factory.mktemp("http")
    path = write_sweep(directory, name, **{"models": list(OVER_HTTP), "limits": {"cpus": 0.4}} | SWEEPS[kind])
    done = orchestrate("sweep", path, "--results", directory / "results")
    assert done.returncode == 0, done.stdout + done.stderr
    assert containers_of(name) == [] == networks_of(name)
    results, rows = results_of(directory / "results")
    return kind, [found_in(results, row) for row in rows]


def test_every_trial_is_valid_and_what_was_served_is_what_clients_were_answered(sweep: tuple[str, list[Found]]) -> None:
    kind, trials = sweep
    assert trials
    for found in trials:
        record = found.record
        what = (kind, record["trial_id"], record["reasons"])
        assert record["status"] == "ok", what
        wanted = dict.fromkeys(("conservation", "server_survived", "verification", "model_shape"), "pass")
        assert wanted.items() <= found.gates.items(), what
        assert record["failed"] == 0, what
        assert record["ok"] > 0, what
        assert found.load["options"]["protocol"] == record["protocol"]


def test_a_record_says_what_was_spoken(sweep: tuple[str, list[Found]]) -> None:
    kind, trials = sweep
    spoken = [(found.record["protocol"], found.record["cache_control"]) for found in trials]
    if kind == "both":
        assert spoken == [("line", "none"), ("http", "max-age=2")]
    else:
        assert set(spoken) == {("http", "none")}


def test_what_is_behind_is_read_and_written(sweep: tuple[str, list[Found]]) -> None:
    kind, trials = sweep
    for found in trials:
        # Of several servers each has its own.
        report = found.record.get("exit_report") or {}
        asked = report.get("behind")
        if kind != "behind":
            assert not asked
            continue
        assert asked["reads"] > asked["writes"] > 0
        assert asked["wrong"] == 0


def test_every_replica_served(sweep: tuple[str, list[Found]]) -> None:
    kind, trials = sweep
    for found in trials if kind in ("replicas", "front") else []:
        assert len(found.accepted) == 2
        assert all(found.accepted.values()), found.accepted
