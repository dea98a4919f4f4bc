"""One pod of the manifests for real: `podman kube play` runs the YAML as it was written.

Podman is no Kubernetes: it has no Services, probes of the kubelet, namespaces or Deployments of several replicas. It
has pods, and this is about what is one: containers with these limits and this confinement, which share network and
processes. Its images and containers are in a directory of the test's own.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from testbed.commands.manifests import write
from testbed.names import image_name
from testbed.stack import images as image_builder
from testbed.stack import machine
from testbed.stack.naming import SERVER_PORT
from tests.unit.testbed.stack.kubernetes.written import of_text
from tests.waiting import wait_until

PROJECT = Path(__file__).parents[2]
MODEL = "spmt"
SWEEP = f"models: {MODEL}\nlimits: {{cpus: 0.5, memory: 64MiB}}\nload: {{users: 8}}\n"
POD = f"{MODEL}-pod"

_CONFIGURATION = """\
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
"""

# Podman asks for a million processes and open files. Where this machine has given root less, and not the capability to
# raise it (CAP_SYS_RESOURCE), no container would start. So it is told to leave the limits as they are.
_HOOK = {"version": "1.0.0", "hook": {"path": ""}, "when": {"always": True}, "stages": ["precreate"]}
_WITHOUT_RLIMITS = """\
#!{python}
import json, sys
configuration = json.load(sys.stdin)
configuration["process"].pop("rlimits", None)
json.dump(configuration, sys.stdout)
"""
# Podman 4.3 takes it for a port to publish at the same number of this machine. To Kubernetes it is a remark.
_PORT = f"""\
        ports:
        - containerPort: {SERVER_PORT}
"""


def lacking() -> str:
    if os.getuid() != 0:
        return "podman kube play: it needs root here"
    missing = [name for name in ("podman", "runc", "docker", "nsenter") if shutil.which(name) is None]
    return f"podman kube play: {' and '.join(missing)} is not installed" if missing else ""


class Podman:
    """Podman with images, containers and settings in this directory alone, whose path has to be short."""

    def __init__(self, directory: Path) -> None:
        configuration = directory / "containers.conf"
        configuration.write_text(_CONFIGURATION)
        script, hooks = directory / "without-rlimits", directory / "hooks"
        script.write_text(_WITHOUT_RLIMITS.format(python=sys.executable))
        script.chmod(0o755)
        hooks.mkdir()
        (hooks / "rlimits.json").write_text(json.dumps({**_HOOK, "hook": {"path": str(script)}}))
        self._environment = {**os.environ, "CONTAINERS_CONF": str(configuration)}
        places = {"root": "root", "runroot": "run", "tmpdir": "tmp", "hooks-dir": "hooks"}
        # Podman's own choice, crun, refuses the control groups of a machine that has both versions.
        self._command = ["podman", "--runtime", "runc"]
        self._command += [word for name, at in places.items() for word in (f"--{name}", str(directory / at))]

    def run(self, *words: str, check: bool = True) -> str:
        """What it prints, on either stream."""
        done = subprocess.run(
            [*self._command, *words],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=100,
            check=False,
        )
        assert not check or done.returncode == 0, f"podman {' '.join(words)}: {done.stdout.strip()}"
        return done.stdout

    def load(self, names: list[str], archive: Path) -> None:
        """Bring these images over from Docker's engine."""
        subprocess.run(["docker", "save", "--output", str(archive), *names], check=True, timeout=100)
        self.run("load", "--input", str(archive))
        archive.unlink()


@pytest.fixture
def podman() -> Iterator[Podman]:
    if why := lacking():
        pytest.skip(why)
    machine.require_docker()
    image_builder.build((MODEL,), print)
    directory = Path(tempfile.mkdtemp(prefix="tm-", dir="/tmp"))
    own = Podman(directory)
    try:
        own.load([image_name(MODEL), image_name("probe")], directory / "images.tar")
        yield own
    finally:
        own.run("pod", "rm", "--all", "--force", "--time", "1", check=False)
        own.run("rmi", "--all", "--force", check=False)
        # The storage is a mount while it is in use.
        subprocess.run(["umount", "--quiet", str(directory / "root" / "overlay")], check=False)
        shutil.rmtree(directory, ignore_errors=True)


def test_a_pod_echoes_and_its_probe_has_found_the_servers_first_process(podman: Podman, tmp_path: Path) -> None:
    write(tmp_path / "made", of_text(SWEEP).files)
    manifest = tmp_path / "made" / f"001-{MODEL}-0.5cpu" / f"{MODEL}.yaml"
    written = manifest.read_text()
    assert written.count(_PORT) == 1
    manifest.write_text(written.replace(_PORT, ""))
    podman.run("kube", "play", "--network", "none", str(manifest))
    server, probe = f"{POD}-0-{MODEL}", f"{POD}-0-probe-{MODEL}"
    wait_until(lambda: "Server started" in podman.run("logs", server), "the server", 20)
    pid = podman.run("inspect", "--format", "{{.State.Pid}}", server).strip()

    def talk(*lines: str) -> str:
        # Not by `podman exec`, which asks for the limits that nobody may have here.
        client = [sys.executable, "-m", "servers.client", "127.0.0.1", str(SERVER_PORT), *lines]
        done = subprocess.run(
            ["nsenter", "--net", "--target", pid, *client], cwd=PROJECT, capture_output=True, text=True, timeout=30
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "hello from a pod" in talk("hello from a pod")
    status = dict(
        line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":\t" in line
    )
    assert (status["NoNewPrivs"], status["Seccomp"], int(status["CapEff"], 16)) == ("1", "2", 0)
    assert (status["Uid"].split()[0], status["Gid"].split()[0]) == ("10001", "10001")
    # It is not the first process of its namespace: that is the pod's own.
    assert status["NSpid"].split()[-1] != "1"

    def told() -> list[dict]:
        return [json.loads(line) for line in podman.run("logs", probe).splitlines() if line.startswith("{")]

    def measured() -> dict | None:
        return next((line for line in told() if line.get("processes") == 1 and line.get("pss_bytes")), None)

    # The probe tells of it all the same: of its limits, of its one process and of no other's, of its work.
    line = wait_until(measured, "a reading", 20)
    assert (line["limits"]["cpus"], line["limits"]["memory_bytes"]) == (0.5, 64 * 2**20)
    talk(*["!spin=20000 work"] * 20)
    wait_until(lambda: any(one.get("cpu_used_us_since_last", 0) > 10_000 for one in told()[1:]), "the work", 20)
