"""What this machine has and lacks. Standard library only: the set-up asks before there is a virtual environment."""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import Any

from testbed.errors import UserError

# A daemon under load answers within a second; one that hangs is as good as none.
DOCKER_TIMEOUT_S = 20
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SETUP = "make setup"
# Docker's client says it in one way up to version 28 and in the other since.
_NO_DAEMON = re.compile("cannot connect to the docker daemon|failed to connect to the docker api", re.IGNORECASE)


@dataclass(frozen=True)
class Check:
    """One line of `orchestrate.py doctor`: what was looked at, what was found, and the command that helps."""

    name: str
    ok: bool
    found: str
    help: str = ""
    required: bool = True


@dataclass(frozen=True)
class Answer:
    """How a `docker …` command ended. exit_code is None when there is no `docker` command."""

    exit_code: int | None
    output: str


def ask(*command: str) -> Answer:
    """Run a short command; a missing program and a hanging one are answers too."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DOCKER_TIMEOUT_S, check=False
        )
    except FileNotFoundError:
        return Answer(None, f"{command[0]}: not found")
    except subprocess.TimeoutExpired:
        return Answer(-1, f"no answer within {DOCKER_TIMEOUT_S} s")
    return Answer(done.returncode, (done.stdout if done.returncode == 0 else done.stderr).strip())


def explain_engine(info: Answer) -> Check:
    """The check of the Docker engine, from the answer to `docker info --format json`."""
    name = "Docker engine"
    if info.exit_code is None:
        return Check(name, False, "no `docker` command", "sudo apt-get install -y docker.io")
    if "permission denied" in info.output.lower():
        return Check(
            name, False, "no permission on the Docker socket", 'sudo usermod -aG docker "$USER", then log in again'
        )
    if info.exit_code == 0:
        try:
            facts: dict[str, Any] = json.loads(info.output)
        except ValueError:
            facts = {}
        if version := facts.get("ServerVersion"):
            return Check(name, True, f"{version}, cgroup v{facts.get('CgroupVersion', '1')}")
        # `docker info` can succeed without a daemon and tell so inside.
        return explain_engine(Answer(1, "; ".join(facts.get("ServerErrors") or ["no server in its answer"])))
    if _NO_DAEMON.search(info.output):
        return Check(name, False, "Docker is not running", "sudo systemctl start docker")
    reason = info.output.splitlines()[-1] if info.output else "no reason given"
    return Check(name, False, f"Docker does not answer: {reason}", "docker info")


def explain_compose(plugin: Answer, standalone: Answer) -> Check:
    """The check of Compose, from what `docker compose` and `docker-compose` answer to `version --short`."""
    name = "Docker Compose v2"
    version = plugin.output.lstrip("v")
    if plugin.exit_code == 0 and version.split(".")[0].isdigit() and int(version.split(".")[0]) >= 2:
        return Check(name, True, version)
    if standalone.exit_code == 0 and standalone.output.startswith("1."):
        found = f"only Compose v1 ({standalone.output}), which cannot read the compose file"
        return Check(name, False, found, SETUP)
    return Check(name, False, "no `docker compose` command", SETUP)


def check_engine() -> Check:
    return explain_engine(ask("docker", "info", "--format", "{{json .}}"))


def check_compose() -> Check:
    plugin = ask("docker", "compose", "version", "--short")
    standalone = Answer(0, "") if plugin.exit_code == 0 else ask("docker-compose", "version", "--short")
    return explain_compose(plugin, standalone)


def refuse(check: Check) -> None:
    """Raise UserError with the check's one line unless it is fine."""
    if not check.ok:
        raise UserError(f"{check.found}; run: {check.help}")


def require_docker() -> None:
    """Raise UserError, one line, when Docker or its Compose plugin cannot be used."""
    refuse(check_engine())
    refuse(check_compose())


def find_browser() -> str | None:
    """The Chromium for the tests of the web page: CHROMIUM if set, else the first one on the PATH."""
    if named := os.environ.get("CHROMIUM"):
        return shutil.which(named)
    return next(filter(None, map(shutil.which, BROWSERS)), None)
