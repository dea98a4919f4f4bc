"""Every verdict and gate on real Docker: a rigged server or generator is found out, by exactly the gate it deceives."""

import io
import json
import secrets
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.judged import Record, failed, others, records, run, values
from tests.e2e.stack import CLIENT, wait_for_container

pytestmark = [pytest.mark.e2e, pytest.mark.timed, pytest.mark.usefixtures("images"), pytest.mark.timeout(180)]

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


Fields = Callable[[], dict[str, Any]]
Once = Callable[[str, Fields], list[Record]]
_measured: dict[str, list[Record]] = {}


@pytest.fixture
def once(request: pytest.FixtureRequest, tmp_path: Path) -> Once:
    """Measures a sweep whose trials several tests look at, once; anew for a test that is tried a second time."""

    def measured(name: str, fields: Fields) -> list[Record]:
        if name not in _measured or getattr(request.node, "execution_count", 1) > 1:
            _measured[name] = records(tmp_path, **fields())
        return _measured[name]

    return measured


def test_an_honest_trial_fails_no_gate_and_knows_every_one(tmp_path: Path) -> None:
    record = run(tmp_path, duration="8s", load={"users": 16})
    assert failed(record, but=("isolation", "steady_state")) == set(), record["reasons"]
    # A kernel may show no stolen time.
    assert {gate["name"] for gate in record["gates"] if gate["status"] == "unknown"} <= {"disturbed"}
    assert record["verdict"] == "server-bound"


FAULTS = {"lie": 2001, "miscount": 2002, "no-work": 2003, "deaf": 2004, "hungry": 2005}
"""The rigged server has each where the requests of a trial ask it to sleep for so many microseconds."""


@pytest.fixture
def deceived(once: Once, rigged: Callable[..., str]) -> Callable[[str], Record]:
    """The record of a trial of the rigged server with a fault."""
    cells = [{"sleep": f"{us}us", "spin": "2ms" if fault == "no-work" else "300us"} for fault, us in FAULTS.items()]

    def fields() -> dict[str, Any]:
        image = rigged(*(f"{fault}@{us}" for fault, us in FAULTS.items()))
        return {
            "images": {"spmt": image},
            "workload": values(cells, "sleep", "spin"),
            "exclude": others(cells, "sleep"),
        }

    def of(fault: str) -> Record:
        (record,) = [one for one in once("deceived", fields) if one["sleep_us"] == FAULTS[fault]]
        return record

    return of


@pytest.mark.parametrize(
    ("fault", "gate"), [("lie", "wrong_echo"), ("miscount", "conservation"), ("no-work", "utilisation_law")]
)
def test_a_rigged_server_is_invalid_by_the_gate_it_deceives(
    deceived: Callable[[str], Record], fault: str, gate: str
) -> None:
    record = deceived(fault)
    assert record["verdict"] == "invalid"
    # What was answered wrongly was served all the same: only the lie is one failure more on the client's side.
    assert failed(record, but=("isolation", "steady_state")) == {gate}, record["reasons"]


def test_a_server_that_breaks_the_protocol_is_invalid_by_its_verification(
    tmp_path: Path, rigged: Callable[..., str]
) -> None:
    record = run(tmp_path, images={"spmt": rigged("no-errors")}, duration="1s")
    assert record["verdict"] == "invalid"
    assert failed(record, but=("isolation", "steady_state")) == {"verification"}, record["reasons"]


def test_a_server_that_goes_deaf_has_no_replies(deceived: Callable[[str], Record]) -> None:
    record = deceived("deaf")
    assert record["verdict"] == "invalid"
    assert "replies" in failed(record)


def test_a_server_out_of_memory_is_named_so(deceived: Callable[[str], Record]) -> None:
    record = deceived("hungry")
    assert (record["status"], record["verdict"]) == ("failed", "invalid")
    assert {"completed", "server_survived"} <= failed(record)
    assert "exit code 137, out of memory" in " ".join(record["reasons"])


@pytest.fixture
def loaded(once: Once, rigged: Callable[..., str]) -> Callable[[str], Record]:
    """The record of a trial of one of three servers under a load of its own: spmt with time to spare, an event loop
    that is called mpst, one that is faster than any load."""
    cells = (
        {"model": "spmt", "cpus": 0.5, "users": 2, "sleep": "20ms", "spin": 0},
        {"model": "mpst", "cpus": 0.5, "users": 4, "sleep": "2ms", "spin": "300us"},
        {"model": "event-loop", "cpus": 1, "users": 32, "sleep": 0, "spin": 0},
    )

    def fields() -> dict[str, Any]:
        return {
            "models": [cell["model"] for cell in cells],
            "images": {"mpst": "threadmill/event-loop", "event-loop": rigged("fast")},
            "limits": {**values(cells, "cpus"), "memory": "64MiB"},
            "workload": values(cells, "sleep", "spin"),
            "load": values(cells, "users"),
            "exclude": others(cells, "model"),
        }

    def of(model: str) -> Record:
        (record,) = [one for one in once("loaded", fields) if one["model"] == model]
        return record

    return of


def test_a_server_with_spare_time_is_not_saturated(loaded: Callable[[str], Record]) -> None:
    record = loaded("spmt")
    assert record["verdict"] == "not-saturated", record["reasons"]


@pytest.mark.parametrize("kind", ["haproxy", "nginx"])
def test_a_front_that_is_full_takes_the_blame_for_servers_that_are_not(tmp_path: Path, kind: str) -> None:
    record = run(
        tmp_path,
        models=["event-loop"],
        limits={"cpus": 0.9, "memory": "64MiB"},
        replicas={"count": 2},
        front={"kind": kind, "cpus": 0.05},
        workload={"connection": "per-request"},
        load={"users": 8},
    )
    assert record["verdict"] == "front-bound", record["reasons"]
    assert failed(record, but=("isolation", "steady_state", "disturbed")) == set(), record["reasons"]
    # What is only shown, such as time that a hypervisor took, speaks of servers too.
    full = [reason for reason in record["reasons"] if "saturated from" in reason]
    assert full and all(reason.startswith("the front") for reason in full), record["reasons"]
    gates = {gate["name"]: gate for gate in record["gates"]}
    # Client, front and servers have each counted them.
    assert gates["connections"]["status"] == "pass", gates["connections"]
    assert record["front_connections"] > record["ok"]
    assert record["front_cpu_us_per_request"] > 0
    assert 1 <= record["imbalance"] < 1.2


def test_another_model_under_a_models_name_is_found_out_by_its_shape(loaded: Callable[[str], Record]) -> None:
    record = loaded("mpst")
    assert record["verdict"] == "invalid"
    assert failed(record, but=("isolation", "steady_state")) == {"model_shape"}, record["reasons"]


def test_a_server_faster_than_its_generator_is_client_bound(loaded: Callable[[str], Record]) -> None:
    record = loaded("event-loop")
    assert record["verdict"] == "client-bound", record["reasons"]
    assert failed(record, but=("isolation", "steady_state")) == {"generator_cpu"}, record["reasons"]


def test_a_server_that_slows_down_is_flagged_unsteady_and_kept(tmp_path: Path, rigged: Callable[..., str]) -> None:
    record = run(tmp_path, images={"spmt": rigged("slower", "6")}, duration="8s")
    assert record["unsteady"] is True
    assert failed(record) == {"steady_state"}, record["reasons"]
    assert record["verdict"] != "invalid"


@pytest.fixture
def starved(once: Once) -> Record:
    """The record of a trial with a tenth of a CPU for the generator, and all of the machine's for the server."""
    limits = {"cpus": CLIENT.info()["NCPU"], "memory": "64MiB"}
    fields = {"workload": {}, "load": {"users": 8, "worker_cpus": 0.1}, "limits": limits}
    (record,) = once("starved", lambda: fields)
    return record


def test_a_generator_without_cpu_makes_the_trial_client_bound(starved: Record) -> None:
    assert starved["verdict"] == "client-bound", starved["reasons"]
    assert "generator_throttling" in failed(starved)


def test_a_server_on_all_processors_is_said_not_to_be_isolated(starved: Record) -> None:
    assert "isolation" in {gate["name"] for gate in starved["gates"] if gate["status"] == "fail"}
    assert starved["cpu_sets"]["isolated"] is False
    assert starved["cpu_sets"]["notes"]


def test_users_that_stand_still_in_secret_break_littles_law(tmp_path: Path, rig: Callable[..., str]) -> None:
    locust = rig("threadmill/locust", RIGGED_LOAD, "locust", "-f", f"/{RIGGED_LOAD.name}")
    # The plain engine's users are greenlets, which can stand still each by itself.
    record = run(tmp_path, images={"locust": locust}, limits={"cpus": 1}, load={"users": 4, "engine": "plain"})
    assert record["verdict"] == "invalid"
    assert failed(record, but=("isolation", "steady_state")) == {"littles_law"}, record["reasons"]


def pause_worker(name: str) -> None:
    worker = wait_for_container(name, "worker")
    worker.pause()
    time.sleep(0.5)
    worker.unpause()


@pytest.fixture
def opened(once: Once) -> Callable[[str], Record]:
    """The record of a trial of an open loop: one in which the worker is paused for half a second, one with more load
    than its user can carry, one that is within what all can do."""
    work = {"sleep": "2ms", "spin": "300us"}
    cells = {
        "paused": {"users": 16, "rate": 200, "arrivals": "constant", **work},
        "too much": {"users": 1, "rate": 100, "arrivals": "constant", "sleep": "50ms", "spin": 0},
        "within": {"users": 8, "rate": 100, "arrivals": "poisson", **work},
    }

    def fields() -> dict[str, Any]:
        return {
            "meddle": pause_worker,
            "limits": {"cpus": 1, "memory": "64MiB"},
            "workload": values(cells.values(), "sleep", "spin"),
            "load": {"mode": "open", **values(cells.values(), "users", "rate", "arrivals")},
            "exclude": others(cells.values(), "users"),
            "duration": "4s",
        }

    def of(case: str) -> Record:
        (record,) = [one for one in once("opened", fields) if one["users"] == cells[case]["users"]]
        return record

    return of


def test_a_generator_that_stood_still_is_client_bound_by_its_own_lateness(opened: Callable[[str], Record]) -> None:
    """Paused for half a second, a worker sends what fell due late, though its users and the server were idle."""
    record = opened("paused")
    assert record["verdict"] == "client-bound", record["reasons"]
    assert failed(record, but=("isolation", "steady_state")) == {"send_lag"}, record["reasons"]
    assert record["missed"] == 0


def test_more_load_than_the_users_can_carry_is_client_bound(opened: Callable[[str], Record]) -> None:
    """One request in flight and 50 ms of waiting carry 20 requests per second, not 100; the server is idle."""
    record = opened("too much")
    assert record["verdict"] == "client-bound", record["reasons"]
    assert "achieved_over_offered" in failed(record)
    assert record["missed"] > 0


def test_an_open_loop_within_capacity_keeps_its_schedule(opened: Callable[[str], Record]) -> None:
    record = opened("within")
    assert failed(record, but=("isolation", "steady_state")) == set(), record["reasons"]
    assert record["missed"] == 0
    assert record["throughput_rps"] == pytest.approx(100, rel=0.25)
