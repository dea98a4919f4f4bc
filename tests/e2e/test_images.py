"""The images as they are: small, unprivileged, with byte code, and nothing of the build machine inside."""

import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from servers.models import MODELS, SERVERS, VARIANTS
from testbed.names import COMPANIONS, FRONTS, image_name
from testbed.stack import images as image_builder
from tests.e2e.stack import orchestrate
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("images")]

HARDENED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--tmpfs", "/tmp")
# Without what only a sweep needs that asks for it: see tests/parts.
ALWAYS = (*SERVERS, *COMPANIONS, *FRONTS)
MAX_ADDED_BYTES = 10_000_000
# A program with its libraries, by the package manager.
MAX_ADDED_BY_A_FRONT = 20_000_000
CHECK = ("bash", "/app/healthcheck.sh")


def docker(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 or not check, done.stderr
    return done


def inspect(reference: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(docker("inspect", reference).stdout)[0]
    return found


def in_image(name: str, script: str, *options: str) -> str:
    """What a shell script prints in a container of this image, as the image's own user unless told otherwise."""
    run = ("run", "--rm", "--network", "none", *HARDENED, *options, "--entrypoint", "sh", image_name(name))
    return docker(*run, "-c", script).stdout


def launch(name: str, *options: str) -> str:
    container = f"threadmill-test-{secrets.token_hex(4)}"
    docker("run", "--detach", "--name", container, *HARDENED, *options, image_name(name))
    return container


def start(name: str, *options: str) -> str:
    container = launch(name, *options)
    wait_until(lambda: "Server started" in docker("logs", container).stdout, f"start of {name}")
    return container


@pytest.fixture(scope="module")
def launched(images: None) -> Iterator[dict[str, str]]:
    """A container of every server, by its name, started together: each is first checked after a second."""
    containers = {name: launch(name) for name in SERVERS}
    yield containers
    if containers:
        docker("rm", "--force", *containers.values())


@pytest.fixture
def spst() -> Iterator[str]:
    """An spst that Docker itself does not check."""
    container = start("spst", "--no-healthcheck")
    yield container
    docker("rm", "--force", container)


def address(container: str) -> tuple[str, int]:
    networks = inspect(container)["NetworkSettings"]["Networks"]
    return next(iter(networks.values()))["IPAddress"], 8081


@pytest.mark.parametrize("name", ALWAYS)
def test_an_image_names_itself_and_runs_as_an_ordinary_user(name: str) -> None:
    config = inspect(image_name(name))["Config"]
    assert config["User"] == "10001:10001"
    roles = {"locust": "load", "probe": "probe"} | dict.fromkeys(FRONTS, "front")
    assert config["Labels"]["threadmill.role"] == roles.get(name, "server")
    assert config["Labels"]["org.opencontainers.image.title"] == image_name(name)
    assert config["Labels"].get("threadmill.model") == (name if name in SERVERS else None)
    ports = {
        "locust": ["8089/tcp"],
        "probe": [],
        "haproxy": ["8081/tcp", "8404/tcp", "9999/tcp"],
        "nginx": ["8081/tcp", "8404/tcp"],
    }.get(name, ["8081/tcp"])
    assert list(config.get("ExposedPorts") or {}) == ports


@pytest.mark.parametrize("name", ALWAYS)
def test_nothing_in_an_image_can_be_written_by_its_user(name: str) -> None:
    script = "id -u; grep CapEff /proc/self/status; find /app /opt /usr -writable ! -type l | head"
    # With a writable root file system, so that it is the owners and modes that are looked at.
    run = ("run", "--rm", "--network", "none", "--cap-drop", "ALL", "--entrypoint", "sh", image_name(name))
    assert docker(*run, "-c", script).stdout.split() == ["10001", "CapEff:", "0000000000000000"]


@pytest.mark.parametrize("name", SERVERS)
def test_a_hardened_server_becomes_healthy_by_itself_and_stops_at_once(name: str, launched: dict[str, str]) -> None:
    # Tried a second time it has to be another one.
    container = launched.pop(name, "") or launch(name)
    try:
        health = wait_until(
            lambda: (found := inspect(container)["State"]["Health"])["Status"] != "starting" and found, "check"
        )
        assert health["Status"] == "healthy", health
        process_1 = docker("exec", container, "cat", "/proc/1/cmdline").stdout.split("\0")
        assert process_1[:4] == ["python3", "-m", "servers", name]
        docker("stop", "--time", "10", container)
        assert inspect(container)["State"]["ExitCode"] == 0
    finally:
        docker("rm", "--force", container)


def test_a_server_that_is_slow_to_start_is_not_unhealthy_meanwhile() -> None:
    container = f"threadmill-test-{secrets.token_hex(4)}"
    late = "sleep 6; exec python3 -m servers spst"
    docker("run", "--detach", "--name", container, *HARDENED, "--entrypoint", "sh", image_name("spst"), "-c", late)
    try:
        health = wait_until(
            lambda: (found := inspect(container)["State"]["Health"])["Status"] != "starting" and found, "check", 60
        )
        # It was asked in vain more often than a passing fault would be.
        assert health["Status"] == "healthy", health
        assert len([one for one in health["Log"] if one["ExitCode"] != 0]) > 2
    finally:
        docker("rm", "--force", container)


def test_once_healthy_the_check_sleeps_instead_of_costing_cpu() -> None:
    container = start("event-loop")
    try:
        wait_until(lambda: inspect(container)["State"]["Health"]["Status"] == "healthy", "healthy")
        assert docker("exec", container, "timeout", "2", *CHECK, check=False).returncode == 124
    finally:
        docker("rm", "--force", container)


def test_the_check_fails_where_nobody_listens() -> None:
    script = "bash /app/healthcheck.sh 2>/dev/null; echo $?"
    assert in_image("spst", script).strip() == "1"


def test_the_check_fails_when_a_server_accepts_but_does_not_answer(spst: str) -> None:
    docker("kill", "--signal", "STOP", spst)
    answer = docker("exec", spst, *CHECK, check=False)
    docker("kill", "--signal", "CONT", spst)
    assert (answer.returncode, answer.stdout) == (1, "no echo within 2 s on port 8081\n")


def test_checks_do_not_pile_up_behind_a_person_who_holds_the_only_slot(spst: str) -> None:
    with socket.create_connection(address(spst), 10) as person:
        person.sendall(b"mine\n")
        assert person.recv(100) == b"mine\n"
        # The first check waits in the queue and gives up; each further one sees that it would only wait there too.
        codes = [docker("exec", spst, *CHECK, check=False).returncode for _ in range(4)]
        assert codes == [1, 0, 0, 0]
        listener = docker("exec", spst, "grep", " 0A ", "/proc/net/tcp").stdout.split()
        assert listener[4].split(":")[1] == "00000001"
        person.sendall(b"still mine\n")
        assert person.recv(100) == b"still mine\n"
    wait_until(lambda: docker("exec", spst, *CHECK, check=False).returncode == 0, "an echo after the person left")


def test_the_server_images_differ_in_nothing_but_the_model_they_start() -> None:
    assert len({tuple(inspect(image_name(model))["RootFS"]["Layers"]) for model in MODELS}) == 1
    assert len({tuple(inspect(image_name(model))["RootFS"]["Layers"]) for model in VARIANTS}) == 1
    configs = {model: inspect(image_name(model))["Config"] for model in SERVERS}
    # What becomes of it is seen in the command line of a container's first process, above.
    assert len({tuple(config["Entrypoint"]) for config in configs.values()}) == 1
    assert all(f"MODEL={model}" in config["Env"] for model, config in configs.items())


def test_a_variants_image_is_its_models_with_one_package_added() -> None:
    for variant, model in VARIANTS.items():
        layers, of_model = (inspect(image_name(name))["RootFS"]["Layers"] for name in (variant, model))
        assert layers[: len(of_model)] == of_model
        assert {name.partition("-")[0] for name in in_image(variant, "ls /opt/packages").split()} == {"uvloop"}


@pytest.mark.parametrize("name", [*MODELS, *FRONTS])
def test_what_an_image_adds_to_its_base_is_little(name: str) -> None:
    base = inspect(image_builder.choose_base(print).reference)
    image = inspect(image_name(name))
    assert image["RootFS"]["Layers"][: len(base["RootFS"]["Layers"])] == base["RootFS"]["Layers"]
    assert image["Size"] - base["Size"] <= (MAX_ADDED_BY_A_FRONT if name in FRONTS else MAX_ADDED_BYTES)


LIST_UNCOMPILED = """
import importlib.util, pathlib, sys
{load}
files = [module.__file__ for module in list(sys.modules.values()) if getattr(module, "__file__", None)]
files += map(str, pathlib.Path("/app").rglob("*.py"))
files = [file for file in files if file.endswith(".py")]
assert len(files) > 50, files
print([file for file in files if not pathlib.Path(importlib.util.cache_from_source(file)).exists()])
"""


@pytest.mark.parametrize("name", ["spst", "event-loop-uvloop", "locust"])
def test_everything_that_is_imported_has_its_byte_code_in_the_image(name: str) -> None:
    servers = f"from servers.models import MODELS, load\nfor model in (*MODELS, {name!r}): load(model)"
    script = LIST_UNCOMPILED.format(load="import locust.main" if name == "locust" else servers)
    assert in_image(name, f"python3 - <<'EOF'\n{script}\nEOF").strip() == "[]"


FIND_CERTIFICATES = "grep -rlsI 'BEGIN CERTIFICATE' / --exclude-dir=proc --exclude-dir=sys | sort"


@pytest.mark.parametrize("name", ["spst", "event-loop-uvloop", "locust"])
def test_no_certificate_of_the_build_machine_is_in_an_image(name: str) -> None:
    base = image_builder.choose_base(print).reference
    run = ("run", "--rm", "--user", "0:0", "--network", "none", "--entrypoint", "sh")
    of_base = set(docker(*run, base, "-c", FIND_CERTIFICATES).stdout.split())
    added = set(docker(*run, image_name(name), "-c", FIND_CERTIFICATES).stdout.split()) - of_base
    # Locust brings certifi's list of public authorities, and that is all.
    certifi = "/opt/venv/lib/python3.13/site-packages/certifi/cacert.pem"
    assert added == ({certifi} if name == "locust" else set())
    # Where Debian keeps the authorities that were added to this machine: none of them in those two lists either.
    local = "\n".join(path.read_text() for path in Path("/usr/local/share/ca-certificates").rglob("*.crt"))
    text = docker(*run, image_name(name), "-c", f"cat /etc/ssl/certs/*.crt {certifi} 2>/dev/null; :").stdout
    assert set(certificates(local)).isdisjoint(certificates(text))


def test_the_name_and_name_servers_of_the_build_machine_are_not_in_the_base() -> None:
    # The archive itself: in a container Docker puts files of its own over these.
    base = image_builder.choose_base(print).reference
    names = ("etc/debian_version", "etc/hostname", "etc/resolv.conf")
    found: dict[str, bytes] = {}
    with (
        subprocess.Popen(["docker", "save", base], stdout=subprocess.PIPE) as save,
        tarfile.open(fileobj=save.stdout, mode="r|") as image,
    ):
        for member in image:
            content = image.extractfile(member)
            if content is None or member.size < 1_000_000:
                continue
            with tarfile.open(fileobj=content, mode="r|*") as layer:
                for file in layer:
                    name = file.name.removeprefix("./")
                    text = layer.extractfile(file) if name in names else None
                    if text is not None:
                        found[name] = text.read()
    assert "etc/debian_version" in found
    assert found.get("etc/hostname", b"").strip() != socket.gethostname().encode()
    assert found.get("etc/resolv.conf", b"") in (b"", b"\n")


NO_BUILDER = """#!/bin/sh
for word; do case $word in build|pull|import) echo "$@" >>{asked}; echo "no network here" >&2; exit 1 ;; esac; done
exec {docker} "$@"
"""


@pytest.fixture
def no_builder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `docker` that can do everything but build, pull and import; what it was asked of these is in the file."""
    directory = tmp_path / "bin"
    directory.mkdir()
    docker_here = shutil.which("docker")
    (directory / "docker").write_text(NO_BUILDER.format(asked=tmp_path / "asked", docker=docker_here))
    (directory / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
    return tmp_path / "asked"


def test_with_the_images_there_no_builder_and_no_network_is_asked(no_builder: Path) -> None:
    before = [inspect(image_name(name))["Id"] for name in ALWAYS]
    done = orchestrate("build")
    assert (done.returncode, done.stderr) == (0, "")
    image_builder.build_missing(ALWAYS, print)
    assert not no_builder.exists()
    assert [inspect(image_name(name))["Id"] for name in ALWAYS] == before
    named = orchestrate("build", "haproxy", "nginx")
    assert (named.returncode, named.stdout) == (0, "[images] there and of this code: 4\n")
    # The stand-in does refuse: asked all the same, it says so in one line.
    refused = orchestrate("build", "spst", "--force")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1)
    assert no_builder.exists()
    orchestrate("build", "haproxy", "--force")
    assert no_builder.read_text().splitlines()[-1].endswith(" build haproxy locust probe")


def test_the_real_images_are_of_this_code_and_not_of_a_checkout_with_one_file_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert image_builder.outdated() == {}
    names = ("images", "servers", "loadtests", "probe", "fronts", "requirements")
    for name in names:
        shutil.copytree(image_builder.PROJECT / name, tmp_path / name)
    monkeypatch.setattr(image_builder, "PROJECT", tmp_path)
    assert image_builder.outdated() == {}
    (tmp_path / "loadtests" / "locustfile.py").write_text("changed")
    assert image_builder.outdated() == {"locust": "of other code"}


def certificates(text: str) -> list[str]:
    return re.findall(r"-----BEGIN CERTIFICATE-----\s+(.*?)-----END", text, re.DOTALL)


def test_locust_runs_under_any_user() -> None:
    run = ("run", "--rm", "--network", "none", *HARDENED, "--user", "4321:4321", image_name("locust"), "--version")
    assert docker(*run).stdout.startswith("locust 2.47.0")
