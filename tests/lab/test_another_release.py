"""Another release of the engine on this machine's kernel: THREADMILL_LAB_ROOT names a root file system that has it.

`mmdebstrap --variant=apt --include=docker.io,fuse-overlayfs,iptables,ca-certificates,kmod trixie ROOT` makes one.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.stack import PROJECT, TIMEOUT_S
from tests.lab.engines import engines
from tests.lab.sweeps import FIRST, ids, rows_of, write_sweep

ROOT = os.environ.get("THREADMILL_LAB_ROOT", "")
pytestmark = [
    pytest.mark.timeout(240),
    pytest.mark.skipif(not ROOT, reason="THREADMILL_LAB_ROOT names no root file system with another Docker"),
]


def test_a_sweep_is_measured_and_judged_there_as_here(images: list[str], tmp_path: Path) -> None:
    with engines(1, Path(ROOT)) as (engine,):
        engine.load(images)
        release = engine.docker("version", "--format", "{{.Server.Version}}").strip()
        path = write_sweep(tmp_path, repeat=1)
        command = [sys.executable, "orchestrate.py", "sweep", str(path), "--results", str(tmp_path / "results")]
        done = subprocess.run(
            [*engine.via, *command],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
            cwd=PROJECT,
            env=engine.environment,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert (engine.containers(), engine.networks()) == ([], [])
    rows = rows_of(tmp_path / "results")
    assert ids(rows) == [FIRST]
    (results,) = (tmp_path / "results").iterdir()
    assert release in json.dumps(json.loads((results / "manifest.json").read_text())["engine"])
    gates = json.loads((results / "trials" / FIRST / "trial.json").read_text())["gates"]
    # A kernel may show no stolen time, and three seconds are short for telling whether they were steady.
    assert {gate["name"] for gate in gates if gate["status"] == "unknown"} <= {"disturbed", "steady_state"}
    assert all(rows[0][name] for name in ("throttled_periods", "memory_peak_bytes", "oom_kills", "pss_bytes"))
