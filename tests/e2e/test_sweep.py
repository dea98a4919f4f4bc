"""Sweeps on real Docker: what they leave, what they survive, and that nothing of theirs is left running."""

import csv
import io
import json
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from testbed.names import image_name
from testbed.stack.lock import PATIENCE_S
from tests.e2e.stack import CLIENT, containers_of, networks_of, orchestrate, terminal, wait_for_container

pytestmark = [pytest.mark.e2e, pytest.mark.timed, pytest.mark.usefixtures("images")]


def write_sweep(directory: Path, name: str, **fields: Any) -> Path:
    base: dict[str, Any] = {
        "name": name,
        "models": ["event-loop"],
        "limits": {"cpus": 0.5, "memory": "64MiB"},
        "workload": {"sleep": "1ms"},
        "load": {"users": 4},
        "warmup": "1s",
        "duration": "1s",
        "order": {"shuffle": False},
    }
    path = directory / "sweep.yaml"
    path.write_text(yaml.safe_dump(base | fields))
    return path


def results_of(directory: Path) -> tuple[Path, list[dict[str, str]]]:
    """The one results directory made under `directory`, and the rows of its trials.csv."""
    (results,) = directory.iterdir()
    with (results / "trials.csv").open() as file:
        return results, list(csv.DictReader(file))


def spin_units(results: Path, trial_id: str) -> int:
    """What each request of a trial asked for."""
    load = json.loads((results / "trials" / trial_id / "load.json").read_text())
    units: int = load["options"]["spin_units"]
    return units


def test_a_sweep_measures_every_cell_and_writes_all_that_is_promised(tmp_path: Path, name: str) -> None:
    path = write_sweep(tmp_path, name, models=["spst", "mpst"], workload={"spin": "200us"}, limits={"cpus": [0.2, 0.8]})
    done = orchestrate("sweep", path, "--results", tmp_path / "results")
    assert done.returncode == 0, done.stdout + done.stderr
    results, rows = results_of(tmp_path / "results")
    assert done.stdout.splitlines()[-1] == f"results: {results}"
    assert "overhead per trial" in done.stdout

    assert [(row["model"], row["cpus"]) for row in rows] == [
        ("spst", "0.2"),
        ("spst", "0.8"),
        ("mpst", "0.2"),
        ("mpst", "0.8"),
    ]
    for row in rows:
        assert row["status"] == "ok"
        assert int(row["ok"]) > 50
        assert row["failed"] == "0"
        assert float(row["window_s"]) == pytest.approx(1.0, abs=0.05)
        assert 0 < float(row["cpu_used_s"]) <= 1.3 * float(row["cpus"])
        assert 2**20 < int(row["memory_peak_bytes"]) <= 128 * 2**20
        assert float(row["throughput_rps"]) == pytest.approx(int(row["ok"]), rel=0.01)
        # One user holds spst's only place for the whole trial; the others wait and are counted.
        assert row["users_starved"] == ("3" if row["model"] == "spst" else "0")
        assert int(row["server_served"]) >= int(row["ok"])
    small, large = rows[2], rows[3]
    assert int(small["throttled_periods"]) > 5
    assert float(large["throughput_rps"]) > 1.5 * float(small["throughput_rps"])

    manifest = json.loads((results / "manifest.json").read_text())
    speeds = manifest["calibration"]
    assert speeds["fastest_spin_units_per_ms"] >= speeds["spin_units_per_ms"] > 0
    assert "hash_rounds_per_ms" not in speeds
    assert manifest["images"]["spst"].startswith("sha256:")
    trial = results / "trials" / rows[0]["trial_id"]
    ticks = json.loads((trial / "probe.json").read_text())["closed"]["processor_ticks"]
    shows_steal = any(stolen for stolen, _ in ticks.values())
    assert len(ticks) >= 1
    for row in rows:
        for share in (row["server_steal_share"], row["generator_steal_share"]):
            assert 0 <= float(share) <= 1 if shows_steal else share == ""
        assert row["disturbed"] == (str("disturbed" in row["reasons"]) if shows_steal else "")
    files = {"compose.yaml", "load.json", "probe.json", "probe.ndjson", "server.log", "trial.json"}
    assert {entry.name for entry in trial.iterdir()} == files
    load = json.loads((trial / "load.json").read_text())
    assert sum(count for _, _, count in load["histograms"]["latency"]) == load["ok"] == int(rows[0]["ok"])
    assert "[INFO] Server started on port 8081" in (trial / "server.log").read_text()
    assert yaml.safe_load((results / "sweep.yaml").read_text())["limits"]["cpus"] == [0.2, 0.8]
    assert not (results / "load").exists()
    owners = {entry.stat().st_uid for entry in results.rglob("*")}
    assert owners == {os.getuid()}


def test_server_and_load_can_share_a_network_namespace_beside_trials_over_the_bridge(tmp_path: Path, name: str) -> None:
    path = write_sweep(tmp_path, name, network=["shared", "bridge"], repeat=2, workload={"spin": "100us"})
    done = orchestrate("sweep", path, "--results", tmp_path / "results")
    assert done.returncode == 0, done.stdout + done.stderr
    results, rows = results_of(tmp_path / "results")
    assert [row["network"] for row in rows] == ["shared", "bridge"] * 2
    for row in rows:
        assert (row["status"], row["failed"]) == ("ok", "0")
        record = json.loads((results / "trials" / row["trial_id"] / "trial.json").read_text())
        gates = {gate["name"]: gate["status"] for gate in record["gates"]}
        assert (gates["conservation"], gates["verification"], gates["model_shape"]) == ("pass", "pass", "pass")
        load = json.loads((results / "trials" / row["trial_id"] / "load.json").read_text())
        assert load["target"] == ("event-loop-shared" if row["network"] == "shared" else "event-loop")
    # The machine's speed is read in each block, and the work stays what it was.
    assert [row["speed_drift"] for row in rows[:2]] == ["1.0", "1.0"]
    assert rows[2]["speed_drift"] == rows[3]["speed_drift"] != ""
    assert len({spin_units(results, row["trial_id"]) for row in rows}) == 1


def test_a_server_that_dies_in_the_window_fails_its_trial_and_no_other(tmp_path: Path, name: str) -> None:
    path = write_sweep(tmp_path, name, models=["spmt", "event-loop"], duration="3s")
    with terminal("sweep", path, "--results", tmp_path / "results") as shown:
        shown.wait_for("cpu window")
        wait_for_container(name, "spmt").kill()
        assert shown.end() == 1
    _, rows = results_of(tmp_path / "results")
    assert [row["status"] for row in rows] == ["failed", "ok"]
    assert "server ended during the window: exit code 137" in rows[0]["reasons"]


def test_a_worker_that_vanishes_fails_its_trial_and_is_replaced(tmp_path: Path, name: str) -> None:
    path = write_sweep(tmp_path, name, repeat=2, duration="6s", load={"users": 4, "workers": 2})
    with terminal("sweep", path, "--results", tmp_path / "results") as shown:
        shown.wait_for("cpu window")
        wait_for_container(name, "worker").kill()
        assert shown.end() == 1
    _, rows = results_of(tmp_path / "results")
    assert [row["status"] for row in rows] == ["failed", "ok"]
    assert "worker lost" in rows[0]["reasons"]
    assert int(rows[1]["ok"]) > 0


@pytest.mark.parametrize("phase", ["starting Locust", " start", " warm-up", " window", " stop"])
def test_ctrl_c_in_any_phase_removes_everything_and_keeps_finished_trials(
    tmp_path: Path, name: str, phase: str
) -> None:
    path = write_sweep(tmp_path, name, repeat=3)
    with terminal("sweep", path, "--results", tmp_path / "results") as shown:
        if phase.startswith(" "):
            # One trial finishes first: it must survive what happens to the second.
            shown.wait_for("001-b1-event-loop-0.5cpu: ")
            shown.wait_for(f"002-b2-event-loop-0.5cpu{phase}")
        else:
            shown.wait_for(phase)
        shown.interrupt()
        shown.interrupt()
        assert shown.end() == 130, shown.output
    results, rows = results_of(tmp_path / "results")
    assert "interrupted: " in shown.output
    assert shown.output.splitlines()[-1].strip() == f"results: {results}"
    finished = [row["trial_id"] for row in rows]
    assert finished[:1] == (["001-b1-event-loop-0.5cpu"] if phase.startswith(" ") else [])
    assert sorted(entry.name for entry in (results / "trials").iterdir()) == finished
    assert containers_of(name) == []
    assert networks_of(name) == []


@pytest.mark.parametrize("phase", ["starting Locust", "cpu start", "cpu window"])
def test_a_killed_sweep_is_completed_by_resume_and_leaves_nothing(tmp_path: Path, name: str, phase: str) -> None:
    path = write_sweep(tmp_path, name, repeat=2, workload={"spin": "100us"})
    bystander = CLIENT.containers.run("threadmill/spst", detach=True, network_mode="none", name=f"{name}-bystander")
    try:
        with terminal("sweep", path, "--results", tmp_path / "results") as shown:
            if phase.startswith("cpu"):
                shown.wait_for("001-b1-event-loop-0.5cpu: ")
                shown.wait_for(f"002-b2-event-loop-0.5{phase}")
            else:
                shown.wait_for(phase)
            shown.process.kill()
        results, before = results_of(tmp_path / "results")
        finished = {row["trial_id"]: row for row in before}
        done = orchestrate("sweep", "--resume", results)
        assert done.returncode == 0, done.stdout + done.stderr
        _, after = results_of(tmp_path / "results")
        assert [row["trial_id"] for row in after] == ["001-b1-event-loop-0.5cpu", "002-b2-event-loop-0.5cpu"]
        assert [row for row in after if row["trial_id"] in finished] == list(finished.values())
        assert sorted(entry.name for entry in (results / "trials").iterdir()) == [row["trial_id"] for row in after]
        assert len({spin_units(results, row["trial_id"]) for row in after}) == 1
        assert all(float(row["speed_drift"]) > 0 for row in after)
        assert containers_of(name) == []
        assert networks_of(name) == []
        bystander.reload()
        assert bystander.status == "running"
    finally:
        bystander.remove(force=True)


def test_resume_on_another_machine_is_refused_with_the_fields_named(tmp_path: Path, name: str) -> None:
    done = orchestrate("sweep", write_sweep(tmp_path, name), "--results", tmp_path / "results")
    assert done.returncode == 0, done.stdout + done.stderr
    results, _ = results_of(tmp_path / "results")
    manifest = json.loads((results / "manifest.json").read_text())
    manifest["host"]["cpu_model"] = "Another Processor"
    (results / "manifest.json").write_text(json.dumps(manifest))
    refused = orchestrate("sweep", "--resume", results)
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert "host.cpu_model was Another Processor, is " in line
    forced = orchestrate("sweep", "--resume", results, "--force")
    assert forced.returncode == 0
    # Nothing is missing.
    assert "starting Locust" not in forced.stdout
    assert json.loads((results / "manifest.json").read_text())["resumed"][0]["differences"]


def test_a_second_sweep_on_the_machine_is_refused(tmp_path: Path, name: str) -> None:
    # Longer than the second one's patience.
    path = write_sweep(tmp_path, name, duration=f"{PATIENCE_S + 10:g}s")
    with terminal("sweep", path, "--results", tmp_path / "results") as shown:
        shown.wait_for("starting Locust")
        second = orchestrate("sweep", path, "--results", tmp_path / "second")
        assert second.returncode == 2
        (line,) = second.stderr.splitlines()
        assert f"another sweep runs on this machine ({name}-" in line
        shown.interrupt()
        assert shown.end() == 130, shown.output


@pytest.fixture
def another_base() -> Iterator[str]:
    """A base image on which nothing has been built: a build on it takes its time."""
    name = f"threadmill-test/base-{secrets.token_hex(4)}"
    recipe = f"FROM {image_name('spst')}\nUSER 0\nRUN echo {name} > /another\n"
    CLIENT.images.build(fileobj=io.BytesIO(recipe.encode()), tag=name, rm=True)
    yield name
    CLIENT.images.remove(name, force=True)


def test_ctrl_c_in_the_build_ends_it_at_once(another_base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = CLIENT.images.get(image_name("spst")).id
    monkeypatch.setenv("THREADMILL_BASE", another_base)
    with terminal("build") as shown:
        shown.wait_for("[images] building")
        shown.interrupt()
        assert shown.end() == 130, shown.output
    assert "Traceback" not in shown.output
    assert CLIENT.images.get(image_name("spst")).id == before


def test_a_generator_that_does_not_come_up_is_said_and_removed(tmp_path: Path, name: str) -> None:
    path = write_sweep(tmp_path, name, load={"users": 4, "workers": 2})
    with terminal("sweep", path, "--results", tmp_path / "results") as shown:
        shown.wait_for("starting Locust")
        wait_for_container(name, "locust").kill()
        assert shown.end() == 3, shown.output
    assert "Traceback" not in shown.output
    assert "the testbed failed: Locust did not come up: " in shown.output
    assert containers_of(name) == []


def test_results_that_cannot_be_written_are_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "results").write_text("a file, not a directory")
    done = orchestrate("sweep", write_sweep(tmp_path, name), "--results", tmp_path / "results")
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "cannot be created" in line
