"""Ways to a lab's engines as between real machines: by ssh, and through a registry. Needs `sshd`, `docker-registry`."""

import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.lab.cluster import Cluster
from tests.lab.engines import LabEngine
from tests.waiting import wait_until

REGISTRY_PORT = 5000
# sshd wants a directory and a user of its own; both are there for it alone.
ALONE = 'mount --bind "$0" /etc/passwd && mount -t tmpfs tmpfs /run && mkdir /run/sshd && exec "$@"'


def program(name: str) -> str | None:
    """Where it is; an ordinary user's PATH has not every place."""
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


def _answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), 1).close()
    except OSError:
        return False
    return True


@contextmanager
def _running(command: Sequence[str], log: Path, address: str, port: int) -> Iterator[None]:
    """A program, as soon as it listens; it has ended after the block."""
    with log.open("wb") as file, subprocess.Popen(command, stdout=file, stderr=file) as process:
        try:
            wait_until(lambda: process.poll() is not None or _answers(address, port), f"{command} listens")
            assert process.poll() is None, log.read_text()
            yield
        finally:
            process.terminate()


@contextmanager
def by_ssh(nodes: Cluster, directory: Path) -> Iterator[dict[str, str]]:
    """Every node of the lab answers by ssh, as root and with a key made for it; yields the environment for that."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / "key"], check=True)
    users = Path("/etc/passwd").read_text()
    if "\nsshd:" not in users:
        users += "sshd:x:65534:65534::/run/sshd:/usr/sbin/nologin\n"
    (directory / "passwd").write_text(users)
    (directory / "ssh_config").write_text(
        f"IdentityFile {directory}/key\nUserKnownHostsFile {directory}/known\n"
        "StrictHostKeyChecking accept-new\nBatchMode yes\n"
    )
    (directory / "bin").mkdir()
    # Both Docker's command and its library call `ssh`, and take no options for it.
    wrapper = directory / "bin" / "ssh"
    wrapper.write_text(f'#!/bin/sh\nexec {program("ssh")} -F {directory}/ssh_config "$@"\n')
    wrapper.chmod(0o755)
    with ExitStack() as stack:
        for node in nodes.nodes:
            stack.enter_context(_sshd(node, directory))
        path = f"{directory}/bin:{os.environ['PATH']}"
        yield {**nodes.environment, "PATH": path, "DOCKER_HOST": ssh_endpoint(nodes.manager)}


def ssh_endpoint(node: LabEngine) -> str:
    return f"ssh://root@{node.address}"


@contextmanager
def _sshd(node: LabEngine, directory: Path) -> Iterator[None]:
    config = directory / f"{node.name}.sshd_config"
    config.write_text(
        f"ListenAddress {node.address}\nHostKey {directory}/key\nAuthorizedKeysFile {directory}/key.pub\n"
        f"PermitRootLogin prohibit-password\nStrictModes no\nPidFile none\nSetEnv DOCKER_HOST={node.host}\n"
    )
    command = [*node.via, "unshare", "--mount", "sh", "-c", ALONE, str(directory / "passwd")]
    command += [program("sshd") or "sshd", "-D", "-e", "-f", str(config)]
    with _running(command, directory / f"{node.name}.sshd.log", node.address, 22):
        yield


@contextmanager
def through_registry(nodes: Cluster, directory: Path) -> Iterator[str]:
    """A registry on the manager's machine, which all nodes may use without TLS; yields its HOST:PORT."""
    address = nodes.manager.address
    registry = f"{address}:{REGISTRY_PORT}"
    config = directory / "registry.yaml"
    storage = {"filesystem": {"rootdirectory": str(directory / "registry")}}
    config.write_text(json.dumps({"version": 0.1, "storage": storage, "http": {"addr": registry}}))
    command = [*nodes.manager.via, program("docker-registry") or "docker-registry", "serve", str(config)]
    with ExitStack() as stack:
        stack.enter_context(_running(command, directory / "registry.log", address, REGISTRY_PORT))
        for node in nodes.nodes:
            stack.enter_context(_trusting(node, registry))
        yield registry


@contextmanager
def _trusting(node: LabEngine, registry: str) -> Iterator[None]:
    """An engine reads this setting again on SIGHUP, and goes on running."""
    _set(node, {"insecure-registries": [registry]})
    try:
        wait_until(lambda: registry in _trusted(node), f"{node.name} trusts {registry}")
        yield
    finally:
        _set(node, {})


def _set(node: LabEngine, settings: Mapping[str, object]) -> None:
    (node.directory / "daemon.json").write_text(json.dumps(settings))
    os.kill(int((node.directory / "pidfile").read_text()), signal.SIGHUP)


def _trusted(node: LabEngine) -> str:
    return node.docker("info", "--format", "{{json .RegistryConfig.IndexConfigs}}")
