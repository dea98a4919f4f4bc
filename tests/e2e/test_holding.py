"""Ten thousand silent connections on real Docker: held, or said by the gate `held` why not."""

import json
import time
from pathlib import Path

import pytest
import yaml

from tests.e2e.stack import containers_of, orchestrate

pytestmark = [pytest.mark.e2e, pytest.mark.timed, pytest.mark.usefixtures("images"), pytest.mark.timeout(180)]

SWEEP = {
    "models": ["event-loop", "mpst", "thread-pool"],
    "limits": {"cpus": 1, "memory": "256MiB"},
    "load": {"users": 8, "idle_holders": 10_000},
    "warmup": "1s",
    "duration": "1s",
}


def test_ten_thousand_are_held_by_the_event_loop_and_others_say_what_runs_out(tmp_path: Path) -> None:
    sweep = tmp_path / "sweep.yaml"
    sweep.write_text(yaml.safe_dump({"name": "test-holding", **SWEEP}))
    began = time.monotonic()
    run = orchestrate("sweep", sweep, "--results", tmp_path / "results")
    took_s = time.monotonic() - began
    (results,) = (tmp_path / "results").iterdir()
    records = {}
    for path in results.glob("trials/*/trial.json"):
        record = json.loads(path.read_text())
        records[record["model"]] = {**record, "gates": {gate["name"]: gate for gate in record["gates"]}}
    held = {model: record["gates"]["held"] for model, record in records.items()}

    holding = records["event-loop"]
    assert holding["verdict"] != "invalid", holding["reasons"]
    assert (held["event-loop"]["status"], holding["holders_held"]) == ("pass", 10_000)
    assert holding["gates"]["conservation"]["status"] == "pass"
    # Its own count has the echo of each, besides those of the users.
    assert holding["server_served"] > 10_000 + holding["ok"]

    assert (held["thread-pool"]["status"], held["mpst"]["status"]) == ("fail", "fail")
    assert held["thread-pool"]["found"] == "16 of 10000 held: thread-pool serves 16 connections at once"
    assert "of 10000 held: memory: " in held["mpst"]["found"]
    assert run.returncode == 1, run.stdout + run.stderr
    assert containers_of("test-holding") == []
    # Not a matter of speed: who cannot hold them would be tried for ever.
    assert took_s < 120
