"""A sweep from its first step to its last, on an engine without containers: begun, cut off, gone on with, searched."""

import csv
import json
import shutil
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from testbed.errors import UserError
from testbed.plan import trials
from testbed.results.directory import SCHEMA_VERSION
from testbed.stack import generator
from tests.unit.testbed.run.fake_engine import FakeEngine
from tests.unit.testbed.run.sweeping import Sweeping, sweeping  # noqa: F401 - a fixture
from tests.unit.testbed.run.test_sweep_teardown import raises


@pytest.fixture
def bench(sweeping: Sweeping) -> Sweeping:  # noqa: F811
    return sweeping


def rows(path: Path, name: str = "trials.csv") -> list[dict[str, str]]:
    with (path / name).open() as file:
        return list(csv.DictReader(file))


def record(path: Path, beginning: str) -> dict[str, Any]:
    (file,) = path.glob(f"trials/{beginning}*/trial.json")
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def test_a_sweep_leaves_its_trials_its_tables_and_what_they_came_from(bench: Sweeping) -> None:
    code, shown = bench.run()
    assert code == 0
    assert [(row["trial_id"], row["throughput_rps"], row["status"]) for row in rows(bench.results)] == [
        (f"00{block}-b{block}-spst-1cpu", "370.0", "ok") for block in (1, 2, 3)
    ]
    assert {path.name for path in bench.results.iterdir()} == {
        *("compose.yaml", "logs", "manifest.json", "summary.json", "sweep.source.yaml", "sweep.yaml"),
        *("trials", "trials.csv"),
    }
    assert {path.name for path in (bench.results / "trials" / "001-b1-spst-1cpu").iterdir()} == {
        *("compose.yaml", "load.json", "probe.json", "server.log", "trial.json"),
    }
    assert json.loads((bench.results / "manifest.json").read_text())["schema_version"] == SCHEMA_VERSION
    assert shown.splitlines()[0].startswith("t: 3 trials in 3 blocks, 2 s warm-up + 10 s window per trial")
    assert shown.splitlines()[-1] == f"results: {bench.results}"
    assert "3 of 3 trials finished" in shown


def test_what_is_missing_is_measured_and_what_is_there_is_not_touched(bench: Sweeping) -> None:
    bench.engine.on = {"up 002-b2": raises(KeyboardInterrupt())}
    code, shown = bench.run()
    assert code == 130
    assert f"to complete it: .venv/bin/python orchestrate.py sweep --resume {bench.results}" in shown
    (first,) = bench.results.glob("trials/*/trial.json")
    before = first.read_bytes()
    bench.engine.on, bench.engine.calls = {}, []
    code, shown = bench.resume()
    assert code == 0
    assert bench.engine.calls == ["up load", "up 002-b2-spst-1cpu", "up 003-b3-spst-1cpu", "logs", "remove"]
    assert first.read_bytes() == before
    assert not (bench.results / "load").exists()
    assert len(rows(bench.results)) == 3
    assert "t: 1 of 3 trials are there already" in shown
    assert len(json.loads((bench.results / "manifest.json").read_text())["resumed"]) == 1


def test_a_sweep_of_which_nothing_is_missing_starts_no_load(bench: Sweeping) -> None:
    bench.run()
    logs = (bench.results / "logs" / "locust-1.log").read_text()
    bench.engine.calls = []
    code, shown = bench.resume()
    assert code == 0
    assert bench.engine.calls == ["remove"]
    assert "3 of 3 trials finished" in shown
    assert (bench.results / "logs" / "locust-1.log").read_text() == logs


def test_after_a_failed_trial_a_load_worker_that_has_ended_is_not_waited_for(
    bench: Sweeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing: list[str] = []

    def lose_a_worker() -> None:
        missing.append("worker-1")
        raise UserError("docker compose up failed")

    def start_afresh() -> None:
        missing.clear()

    def wait(seconds: float) -> None:
        raise AssertionError("waited for what does not come")

    bench.fields["repeat"] = 2
    bench.engine.on = {"up 001-b1": lose_a_worker, "up load": start_afresh}
    monkeypatch.setattr(bench.engine, "ended", lambda run_id: list(missing))
    monkeypatch.setattr(generator.Load, "workers", lambda load: 1 - len(missing))
    monkeypatch.setattr(generator, "time", SimpleNamespace(monotonic=time.monotonic, sleep=wait))
    code, _ = bench.run()
    assert code == 1
    assert [row["status"] for row in rows(bench.results)] == ["failed", "ok"]
    assert [call for call in bench.engine.calls if call.startswith("up")] == [
        *("up load", "up 001-b1-spst-1cpu", "up load", "up 002-b2-spst-1cpu"),
    ]


def test_a_broken_record_is_named_and_left_and_the_rest_is_completed(bench: Sweeping) -> None:
    bench.engine.on = {"up 003-b3": raises(KeyboardInterrupt())}
    bench.run()
    victim = bench.results / "trials" / "002-b2-spst-1cpu"
    (victim / "trial.json").write_text('{"torn')
    (bench.results / "trials.csv").unlink()
    bench.engine.on = {}
    code, shown = bench.resume()
    assert code == 1
    assert "warning: trials/002-b2-spst-1cpu/trial.json cannot be read\n" in shown
    assert f"warning: {victim}: stays; move it away to have it measured again\n" in shown
    assert "2 of 3 trials finished" in shown
    assert (victim / "trial.json").read_text() == '{"torn'
    assert [row["trial_id"][:6] for row in rows(bench.results)] == ["001-b1", "003-b3"]
    shutil.rmtree(victim)
    code, shown = bench.resume()
    assert code == 0, shown
    assert len(rows(bench.results)) == 3


def test_a_sweep_of_another_machine_or_version_is_refused_and_left_as_it_is(bench: Sweeping) -> None:
    bench.engine.on = {"up 002-b2": raises(KeyboardInterrupt())}
    bench.run()
    bench.engine.on, bench.engine.calls = {}, []
    manifest = bench.results / "manifest.json"
    facts = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(facts | {"engine": {"ServerVersion": "other"}}))
    failure, _ = bench.resume()
    assert isinstance(failure, UserError)
    assert "begun under other conditions: engine.ServerVersion was other, is fake; --force mixes them" in str(failure)
    manifest.write_text(json.dumps(facts | {"schema_version": SCHEMA_VERSION + 1}))
    failure, _ = bench.resume()
    assert str(failure).startswith(f"{manifest}: its schema_version is {SCHEMA_VERSION + 1}, allowed: 2 to ")
    assert bench.engine.calls == []
    assert bench.finished() == ["001-b1"]
    manifest.write_text(json.dumps(facts | {"by_hand": True}))
    failure, _ = bench.resume()
    assert "no sweep to resume here; allowed: what `orchestrate.py sweep FILE` has begun" in str(failure)
    manifest.unlink()
    failure, _ = bench.resume()
    assert "no results here, manifest.json is missing or cannot be read" in str(failure)


def test_a_search_cut_off_in_its_middle_comes_to_the_same_answer(bench: Sweeping) -> None:
    bench.fields |= {"repeat": 1, "load": {"mode": "relative", "slo": {"p99": "50ms"}, "at": [0.5]}}
    bench.engine.on = {"up 001-b1-spst-1cpu-s05": raises(KeyboardInterrupt())}
    code, shown = bench.run()
    assert code == 130
    assert "4 trials finished, 0 of 1 searches are over" in shown
    bench.engine.on = {}
    code, shown = bench.resume()
    assert code == 0
    (answer,) = rows(bench.results, "capacity.csv")
    assert 340 < float(answer["rate_rps"]) <= 370
    found = rows(bench.results)
    assert {row["search_id"] for row in found} == {"001-b1-spst-1cpu"}
    assert [row["step"] for row in found] == [*(str(step) for step in range(1, len(found))), ""]
    assert [row["share"] for row in found] == [*("" for _ in found[1:]), "0.5"]


def seeds(engine: FakeEngine) -> dict[str, str]:
    return {name: asked["seed"] for name, asked in engine.asked.items()}


POISSON = {"mode": "open", "rate": [100, 200], "arrivals": "poisson"}


def test_arrivals_are_the_same_for_all_cells_of_a_block_and_others_in_the_next(bench: Sweeping) -> None:
    bench.fields |= {"repeat": 2, "load": POISSON, "order": {"seed": 7}}
    assert bench.run()[0] == 0
    asked = seeds(bench.engine)
    of_block = {block: {seed for name, seed in asked.items() if f"-b{block}-" in name} for block in (1, 2)}
    assert [len(found) for found in of_block.values()] == [1, 1]
    assert of_block[1] != of_block[2]
    # What was asked for stands in the record: with it the schedule is that very one.
    assert {str(record(bench.results, name)["seed"]) for name in asked if "-b2-" in name} == of_block[2]


def test_the_seed_of_arrivals_follows_the_sweeps_and_is_no_other_sweeps_by_chance() -> None:
    found = {
        (seed, block): trials.arrivals_seed(seed, block) for seed in (0, 1, 2, 2**32 - 1) for block in (1, 2, 1000)
    }
    assert len(set(found.values())) == len(found)
    assert max(found.values()) <= 2**53


@pytest.mark.parametrize(("fastest", "verdict"), [(1900.0, "server-bound"), (1400.0, "invalid")])
def test_a_trial_faster_than_any_reading_has_the_machine_read_once_more(
    bench: Sweeping, fastest: float, verdict: str
) -> None:
    """370 requests/s of 5 ms each on one CPU: only a machine that had become faster can have done that."""
    bench.fields |= {"workload": {"spin": "5ms"}, "repeat": 1}
    readings: list[None] = []

    def reads() -> None:
        readings.append(None)
        bench.engine.speed = {"fastest_spin_units_per_ms": fastest if len(readings) > 1 else 1000.0}

    bench.engine.on = {"run_once": reads}
    bench.run()
    assert (len(readings), record(bench.results, "001")["verdict"]) == (2, verdict)


def test_a_machine_is_not_read_again_where_the_law_holds(bench: Sweeping) -> None:
    bench.fields |= {"workload": {"spin": "1ms"}, "repeat": 1}
    bench.run()
    assert bench.engine.calls.count("run_once") == 1
