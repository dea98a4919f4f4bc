"""Every name that `orchestrate.py models` lists can be swept, with its pool sizes, and is the model it is called."""

import csv
import json
import secrets
from itertools import takewhile
from pathlib import Path

import pytest
import yaml

from testbed.plan.pools import has_threads, has_workers
from tests.e2e.stack import containers_of, orchestrate

pytestmark = [pytest.mark.e2e, pytest.mark.timed, pytest.mark.usefixtures("images")]

SMALL, LARGE = 2, 3
# Of the many pools of workers one has both sizes, which shows that the size is the trial's own; the others have one.
BOTH_SIZES = "prefork"


def listed_names() -> list[str]:
    """What the command shows, which is what people type."""
    done = orchestrate("models")
    assert done.returncode == 0, done.stderr
    return [line.split()[0] for line in takewhile(str.strip, done.stdout.splitlines())]


def test_every_listed_name_is_measured_with_its_pool_sizes_and_has_its_shape(tmp_path: Path) -> None:
    names, name = listed_names(), f"test-{secrets.token_hex(4)}"
    assert "prefork-event-loop-uvloop" in names
    path = tmp_path / "sweep.yaml"
    fields = {
        "name": name,
        "models": names,
        "pools": {"workers": [SMALL, LARGE], "threads": [SMALL, LARGE]},
        "exclude": [{"model": [one for one in names if one != BOTH_SIZES], "workers": SMALL}],
        # A pool serves no more connections at once: nobody is starved, so that every gate can tell.
        "load": {"users": 2},
        "workload": {"sleep": "1ms"},
        "limits": {"cpus": 0.5},
        "warmup": "1s",
        "duration": "1s",
    }
    path.write_text(yaml.safe_dump(fields))
    done = orchestrate("sweep", path, "--results", tmp_path / "results")
    assert done.returncode == 0, done.stdout + done.stderr
    (results,) = (tmp_path / "results").iterdir()
    with (results / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    pools = {
        one: sorted((int(row["workers"]), int(row["threads"])) for row in rows if row["model"] == one) for one in names
    }
    for one in names:
        sizes = [(size, 0) for size in ((SMALL, LARGE) if one == BOTH_SIZES else (LARGE,))]
        threads = [(0, SMALL), (0, LARGE)] if has_threads(one) else [(0, 0)]
        assert pools[one] == (sizes if has_workers(one) else threads)
    for row in rows:
        assert (row["status"], row["failed"]) == ("ok", "0"), row
        record = json.loads((results / "trials" / row["trial_id"] / "trial.json").read_text())
        gates = {gate["name"]: gate["status"] for gate in record["gates"]}
        assert (gates["model_shape"], gates["verification"], gates["conservation"]) == ("pass", "pass", "pass"), row
        assert int(row["ok"]) > 0
    assert containers_of(name) == []
