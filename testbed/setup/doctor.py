"""`orchestrate.py doctor`: what this machine has and lacks, in the order in which a person would put it right."""

import os
import platform
import shutil
import sys
from pathlib import Path

from servers.models import SERVERS
from testbed.stack import images, machine

MIN_DISK_BYTES = 2 * 1024**3


def _check_limits() -> machine.Check:
    """Whether the engine can enforce what a sweep varies."""
    answer = machine.ask("docker", "info", "--format", "{{.CPUCfsQuota}} {{.MemoryLimit}} {{.SwapLimit}}")
    name = "CPU and memory limits"
    if answer.exit_code != 0:
        return machine.Check(name, False, "unknown without Docker", "docker info")
    limits = zip(("CPU", "memory", "swap"), answer.output.split(), strict=False)
    lacking = [what for what, has in limits if has != "true"]
    if lacking == ["swap"]:
        found = "CPU and memory, but swap is not counted: a server over its memory limit may swap instead of dying"
        return machine.Check(name, False, found, "boot with swapaccount=1, or sudo swapoff -a", required=False)
    return machine.Check(
        name, not lacking, f"no {' and no '.join(lacking)} limit" if lacking else "CPU, memory and swap", ""
    )


def _check_disk() -> machine.Check:
    answer = machine.ask("docker", "info", "--format", "{{.DockerRootDir}}")
    root = Path(answer.output)
    if answer.exit_code != 0 or not root.is_dir():
        return machine.Check("disk", True, "unknown: the engine's directory is not in sight", required=False)
    free = shutil.disk_usage(root).free
    found = f"{free / 1024**3:.0f} GiB free in {root}"
    return machine.Check("disk", free >= MIN_DISK_BYTES, found, "" if free >= MIN_DISK_BYTES else "docker system df")


def _check_images() -> machine.Check:
    wrong = images.outdated()
    found = images.in_words(wrong) if wrong else "all there, of this code"
    return machine.Check("images", not wrong, found, "make images" if wrong else "", required=False)


def doctor() -> list[machine.Check]:
    """Every check, in the order in which a person would put things right."""
    cpus = os.cpu_count() or 1
    checks = [
        machine.Check(
            "Python", sys.version_info >= (3, 11), platform.python_version(), "sudo apt-get install -y python3"
        ),
        machine.Check("CPUs", cpus >= 2, str(cpus), "a machine with 2 CPUs: here server and load would share one"),
        engine := machine.check_engine(),
        machine.check_compose(),
    ]
    if engine.ok:
        checks += [_check_limits(), _check_disk(), _check_images()]
    browser = machine.find_browser()
    netcat = shutil.which("nc")
    return [
        *(
            machine.Check(check.name, check.ok, check.found, "" if check.ok else check.help, check.required)
            for check in checks
        ),
        machine.Check(
            "browser, for `make test`",
            browser is not None,
            browser or "no Chromium",
            "" if browser else "sudo apt-get install -y chromium",
            required=False,
        ),
        machine.Check(
            "nc, to talk to a server",
            netcat is not None,
            netcat or "no nc",
            "" if netcat else f'docker compose run --rm client {SERVERS[0]} "hello its first"',
            required=False,
        ),
    ]
