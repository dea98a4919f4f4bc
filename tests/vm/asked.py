"""orchestrate.py and docker as a person types them, with the patience that an emulated machine takes."""

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]
# Programs start ten times slower there.
PATIENCE_S = 1800.0


def command(*words: str | Path) -> list[str]:
    return [sys.executable, str(PROJECT / "orchestrate.py"), *map(str, words)]


def orchestrate(*words: str | Path, code: int = 0) -> str:
    """What it prints; it has to end with this code."""
    done = subprocess.run(command(*words), capture_output=True, text=True, timeout=PATIENCE_S, check=False, cwd=PROJECT)
    said = done.stdout + done.stderr
    assert done.returncode == code, f"orchestrate.py {words[0]} ended with {done.returncode}: {said[-1500:]}"
    assert "Traceback" not in said, said[-1500:]
    return said


def docker(*words: str) -> str:
    done = subprocess.run(
        ["docker", *words], capture_output=True, text=True, timeout=PATIENCE_S, check=False, env=dict(os.environ)
    )
    assert done.returncode == 0, f"docker {' '.join(words[:2])}: {done.stderr.strip()[-500:]}"
    return done.stdout.strip()


def left() -> list[str]:
    """Containers and networks of ours that are there."""
    label = ("--filter", "label=threadmill.run")
    project = ("--filter", "label=com.docker.compose.project=threadmill")
    found = []
    for which in (label, project):
        found += docker("ps", "--all", "--format", "container {{.Names}}", *which).splitlines()
        found += docker("network", "ls", "--format", "network {{.Name}}", *which).splitlines()
    return found
