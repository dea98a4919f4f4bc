"""Every verdict and gate on real Docker: a rigged server or generator is found out, by exactly the gate it deceives."""

import csv
import io
import json
import secrets
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.stack import CLIENT, containers_of, terminal, wait_for_container

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("images"), pytest.mark.timeout(180)]

RIGGED = Path(__file__).parent / "rigged_server.py"
RIGGED_LOAD = Path(__file__).parent / "rigged_load.py"


@pytest.fixture
def rig() -> Iterator[Callable[..., str]]:
    """Makes an image of another with one file added and another entry point; removed afterwards."""
    made: list[str] = []

    def make(base: str, file: Path, *entrypoint: str) -> str:
        name = f"threadmill-test/{file.stem.replace('_', '-')}-{secrets.token_hex(4)}"
        container = CLIENT.containers.create(base)
        try:
            archive = io.BytesIO()
            with tarfile.open(fileobj=archive, mode="w") as tar:
                tar.add(file, file.name)
            container.put_archive("/", archive.getvalue())
            container.commit(repository=name, tag="latest", changes=f"ENTRYPOINT {json.dumps(entrypoint)}")
        finally:
            container.remove(force=True)
        made.append(name)
        return name

    yield make
    for name in made:
        CLIENT.images.remove(name, force=True)


@pytest.fixture
def rigged(rig: Callable[..., str]) -> Callable[..., str]:
    """Makes an image of the rigged server with a fault."""
    return lambda *fault: rig("threadmill/spmt", RIGGED, "python3", f"/{RIGGED.name}", *fault)


def run(tmp_path: Path, meddle: Callable[[str], None] | None = None, **fields: Any) -> dict[str, Any]:
    """The record of the only trial of a sweep with these fields; `meddle(name)` is called when its window opens."""
    name = f"test-{secrets.token_hex(4)}"
    base: dict[str, Any] = {
        "name": name,
        "models": ["spmt"],
        "limits": {"cpus": 0.5, "memory": "64MiB"},
        "workload": {"sleep": "2ms", "spin": "300us"},
        "load": {"users": 4},
        "warmup": "1s",
        "duration": "3s",
    }
    path = tmp_path / "sweep.yaml"
    path.write_text(yaml.safe_dump(base | fields))
    with terminal("sweep", path, "--results", tmp_path / "results") as shown:
        if meddle is not None:
            shown.wait_for("cpu window")
            meddle(name)
        code = shown.end()
    (results,) = (tmp_path / "results").iterdir()
    (record,) = results.glob("trials/*/trial.json")
    found: dict[str, Any] = json.loads(record.read_text())
    assert code == (1 if found["verdict"] == "invalid" else 0), shown.output
    with (results / "trials.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert row["verdict"] == found["verdict"]
    assert containers_of(name) == []
    return found


def failed(record: dict[str, Any], *, but: tuple[str, ...] = ("isolation",)) -> set[str]:
    """The gates that failed, without those that this machine, or the rig by its nature, fails too."""
    return {gate["name"] for gate in record["gates"] if gate["status"] == "fail"} - {*but, "disturbed"}


def test_an_honest_trial_fails_no_gate_and_knows_every_one(tmp_path: Path) -> None:
    record = run(tmp_path, duration="8s", load={"users": 16})
    assert failed(record, but=("isolation", "steady_state")) == set(), record["reasons"]
    # A kernel may show no stolen time.
    assert {gate["name"] for gate in record["gates"] if gate["status"] == "unknown"} <= {"disturbed"}
    assert record["verdict"] == "server-bound"


def test_a_server_with_spare_time_is_not_saturated(tmp_path: Path) -> None:
    record = run(tmp_path, workload={"sleep": "20ms"}, load={"users": 2})
    assert record["verdict"] == "not-saturated", record["reasons"]


@pytest.mark.parametrize(
    ("fault", "gate"),
    [
        ("no-errors", "verification"),
        ("lie", "wrong_echo"),
        ("miscount", "conservation"),
        ("no-work", "utilisation_law"),
    ],
)
def test_a_rigged_server_is_invalid_by_the_gate_it_deceives(
    tmp_path: Path, rigged: Callable[..., str], fault: str, gate: str
) -> None:
    workload = {"spin": "2ms"} if fault == "no-work" else {"sleep": "2ms", "spin": "300us"}
    record = run(tmp_path, images={"spmt": rigged(fault)}, workload=workload)
    assert record["verdict"] == "invalid"
    # What was answered wrongly was served all the same: only the lie is one failure more on the client's side.
    assert failed(record, but=("isolation", "steady_state")) == {gate}, record["reasons"]


def test_a_server_that_goes_deaf_has_no_replies(tmp_path: Path, rigged: Callable[..., str]) -> None:
    record = run(tmp_path, images={"spmt": rigged("deaf")})
    assert record["verdict"] == "invalid"
    assert "replies" in failed(record)


def test_a_server_out_of_memory_is_named_so(tmp_path: Path, rigged: Callable[..., str]) -> None:
    record = run(tmp_path, images={"spmt": rigged("hungry")}, workload={"sleep": "2ms"})
    assert (record["status"], record["verdict"]) == ("failed", "invalid")
    assert {"completed", "server_survived"} <= failed(record)
    assert "exit code 137, out of memory" in " ".join(record["reasons"])


def test_another_model_under_a_models_name_is_found_out_by_its_shape(tmp_path: Path) -> None:
    record = run(tmp_path, images={"spmt": "threadmill/event-loop"})
    assert record["verdict"] == "invalid"
    assert failed(record, but=("isolation", "steady_state")) == {"model_shape"}, record["reasons"]


def test_a_server_that_slows_down_is_flagged_unsteady_and_kept(tmp_path: Path, rigged: Callable[..., str]) -> None:
    record = run(tmp_path, images={"spmt": rigged("slower", "6")}, duration="8s")
    assert record["unsteady"] is True
    assert failed(record) == {"steady_state"}, record["reasons"]
    assert record["verdict"] != "invalid"


def test_a_server_faster_than_its_generator_is_client_bound(tmp_path: Path, rigged: Callable[..., str]) -> None:
    fast = {"models": ["event-loop"], "images": {"event-loop": rigged("fast")}}
    record = run(tmp_path, **fast, workload={}, load={"users": 32}, limits={"cpus": 1})
    assert record["verdict"] == "client-bound", record["reasons"]
    assert failed(record, but=("isolation", "steady_state")) == {"generator_cpu"}, record["reasons"]


def test_a_generator_without_cpu_makes_the_trial_client_bound(tmp_path: Path) -> None:
    record = run(tmp_path, workload={}, load={"users": 8, "worker_cpus": 0.1})
    assert record["verdict"] == "client-bound", record["reasons"]
    assert "generator_throttling" in failed(record)


def test_users_that_stand_still_in_secret_break_littles_law(tmp_path: Path, rig: Callable[..., str]) -> None:
    locust = rig("threadmill/locust", RIGGED_LOAD, "locust", "-f", f"/{RIGGED_LOAD.name}")
    # The plain engine's users are greenlets, which can stand still each by itself.
    record = run(tmp_path, images={"locust": locust}, limits={"cpus": 1}, load={"users": 4, "engine": "plain"})
    assert record["verdict"] == "invalid"
    assert failed(record, but=("isolation", "steady_state")) == {"littles_law"}, record["reasons"]


def test_a_generator_that_stood_still_is_client_bound_by_its_own_lateness(tmp_path: Path) -> None:
    """Paused for half a second, a worker sends what fell due late, though its users and the server were idle."""

    def pause_worker(name: str) -> None:
        worker = wait_for_container(name, "worker")
        worker.pause()
        time.sleep(0.5)
        worker.unpause()

    load = {"mode": "open", "rate": 200}
    record = run(tmp_path, meddle=pause_worker, duration="4s", load=load, limits={"cpus": 1})
    assert record["verdict"] == "client-bound", record["reasons"]
    assert failed(record, but=("isolation", "steady_state")) == {"send_lag"}, record["reasons"]
    assert record["missed"] == 0


def test_more_load_than_the_users_can_carry_is_client_bound(tmp_path: Path) -> None:
    """One request in flight and 50 ms of waiting carry 20 requests per second, not 100; the server is idle."""
    load = {"mode": "open", "rate": 100, "users": 1}
    record = run(tmp_path, workload={"sleep": "50ms"}, load=load, limits={"cpus": 1})
    assert record["verdict"] == "client-bound", record["reasons"]
    assert "achieved_over_offered" in failed(record)
    assert record["missed"] > 0


def test_an_open_loop_within_capacity_keeps_its_schedule(tmp_path: Path) -> None:
    load = {"mode": "open", "rate": 100, "arrivals": "poisson"}
    record = run(tmp_path, load=load, limits={"cpus": 1})
    assert failed(record, but=("isolation", "steady_state")) == set(), record["reasons"]
    assert record["missed"] == 0
    assert record["throughput_rps"] == pytest.approx(100, rel=0.25)


def test_a_server_on_all_processors_is_said_not_to_be_isolated(tmp_path: Path) -> None:
    record = run(tmp_path, limits={"cpus": CLIENT.info()["NCPU"], "memory": "64MiB"})
    assert "isolation" in {gate["name"] for gate in record["gates"] if gate["status"] == "fail"}
    assert record["cpu_sets"]["isolated"] is False
    assert record["cpu_sets"]["notes"]
