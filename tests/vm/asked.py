"""orchestrate.py and docker as a person types them, with the patience that an emulated machine takes."""

import subprocess
from pathlib import Path

from testbed.stack.services import RUN_LABEL
from tests.e2e import stack
from tests.e2e.stack import Terminal, terminal

__all__ = ["Terminal", "docker", "left", "orchestrate", "terminal"]

# Programs start ten times slower there.
PATIENCE_S = stack.TIMEOUT_S = 1800.0


def orchestrate(*words: str | Path, code: int = 0) -> str:
    """What it prints; it has to end with this code."""
    done = stack.orchestrate(*words)
    said = done.stdout + done.stderr
    assert done.returncode == code, f"orchestrate.py {words[0]} ended with {done.returncode}: {said[-1500:]}"
    assert "Traceback" not in said, said[-1500:]
    return said


def docker(*words: str) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, f"docker {' '.join(words[:2])}: {done.stderr.strip()[-500:]}"
    return done.stdout.strip()


def left() -> list[str]:
    """Containers and networks of ours that are there."""
    found = []
    for label in (RUN_LABEL, "com.docker.compose.project=threadmill"):
        which = ("--filter", f"label={label}")
        found += docker("ps", "--all", "--format", "container {{.Names}}", *which).splitlines()
        found += docker("network", "ls", "--format", "network {{.Name}}", *which).splitlines()
    return found
