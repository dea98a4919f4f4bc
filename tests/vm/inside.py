"""What is tried on a machine, step by step, as its user would: `python -m tests.vm.inside OUT [STEP ...]`.

Every step leaves OUT/STEP.json: whether it did what it should, in how many seconds, and what was found; sweeps leave
their results directories in OUT/results. tests/vm/differences.py lays two such directories beside each other. It runs
on the machine that is asked about, so it takes nothing but this checkout, its .venv and the engine in DOCKER_HOST.
"""

import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.vm import by_hand, sweeping
from tests.vm.asked import docker, orchestrate

Facts = dict[str, Any]
ENGINE = ("ServerVersion", "Driver", "CgroupVersion", "CgroupDriver", "SecurityOptions", "KernelVersion", "NCPU")


def machine(_: Path) -> Facts:
    """What the machine is, and what is installed."""
    info = json.loads(docker("info", "--format", "{{json .}}"))
    known = {name: info.get(name) for name in ENGINE}
    client = docker("version", "--format", "{{.Client.Version}}")
    compose = docker("compose", "version", "--short")
    return {**known, "client": client, "Compose": compose, "Python": platform.python_version(), "user": os.getuid()}


def doctor(_: Path) -> Facts:
    """`doctor` finds that a sweep can be run here."""
    return {"said": orchestrate("doctor").splitlines()}


STEPS: dict[str, Callable[[Path], Facts]] = {
    "machine": machine,
    "doctor": doctor,
    "demo": sweeping.demo,
    "limits": sweeping.limits,
    "memory": sweeping.out_of_memory,
    "networks": sweeping.networks,
    "overlay": sweeping.overlay,
    "resizing": sweeping.resizing,
    "front": sweeping.front,
    "resume": sweeping.resume,
    "by-hand": by_hand.one_server,
    "replicas": by_hand.replicas,
    "watch-sweep": sweeping.watched,
}


def tried(name: str, out: Path) -> bool:
    """Do this step, and write down what came of it."""
    print(f"[inside] {name} ...", flush=True)
    started = time.monotonic()
    facts: Facts = {}
    failure = None
    try:
        facts = STEPS[name](out)
    except Exception as error:  # noqa: BLE001 - what does not work here is what this is for; the other steps go on
        failure = f"{type(error).__name__}: {error}"
    seconds = round(time.monotonic() - started, 1)
    written = {"step": name, "what": STEPS[name].__doc__, "failed": failure, "seconds": seconds, "facts": facts}
    (out / f"{name}.json").write_text(json.dumps(written, indent=1))
    print(f"[inside] {name}: {'as it should' if failure is None else failure[-1500:]}, {seconds} s", flush=True)
    return failure is None


def main(words: Sequence[str]) -> int:
    out = Path(words[0])
    names = words[1:] or tuple(STEPS)
    if unknown := [name for name in names if name not in STEPS]:
        print(f"inside: found {', '.join(unknown)}, allowed: {', '.join(STEPS)}", file=sys.stderr)
        return 2
    out.mkdir(parents=True, exist_ok=True)
    # What is cut off has not been tried, whatever an earlier call has left.
    for name in names:
        (out / f"{name}.json").unlink(missing_ok=True)
    went_well = [tried(name, out) for name in names]
    return 0 if all(went_well) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
