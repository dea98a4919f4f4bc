"""Every way in which Docker can be unusable is told apart, in one line that ends with what helps."""

import json
from pathlib import Path

import pytest

from testbed.errors import UserError
from testbed.setup import doctor
from testbed.stack import machine
from testbed.stack.machine import Answer

# As Docker's client 28 prints them; 29 words the second differently.
NO_PERMISSION = (
    "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: "
    'Get "http://%2Fvar%2Frun%2Fdocker.sock/v1.50/info": dial unix /var/run/docker.sock: connect: permission denied'
)
NO_DAEMON = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?"
NO_DAEMON_29 = (
    "failed to connect to the docker API at unix:///var/run/docker.sock; check if the path is correct and if the "
    "daemon is running: dial unix /var/run/docker.sock: connect: no such file or directory"
)
NO_PLUGIN = "docker: unknown command: docker compose\n\nRun 'docker --help' for more information"
ENGINE = json.dumps({"ServerVersion": "20.10.24", "CgroupVersion": "1"})


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH on which there is nothing but what a test puts there."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def put_docker(programs: Path, info: str, info_exit: int, compose: str, compose_exit: int) -> None:
    """A `docker` that answers `docker info` and `docker compose …` so, failures on standard error."""
    for name, text in (("info", info), ("compose", compose)):
        (programs / f"{name}.txt").write_text(text + "\n")
    script = f"""#!/bin/sh
    say() {{ while IFS= read -r line; do echo "$line"; done <{programs}/$1.txt; }}
    case $1 in
        info) [ {info_exit} = 0 ] || {{ say info >&2; exit {info_exit}; }}; say info ;;
        compose) [ {compose_exit} = 0 ] || {{ say compose >&2; exit {compose_exit}; }}; say compose ;;
        *) exit 64 ;;
    esac
    """
    put(programs / "docker", script)


def put(path: Path, script: str) -> None:
    path.write_text(script)
    path.chmod(0o755)


def refusal() -> str:
    with pytest.raises(UserError) as error:
        machine.require_docker()
    (line,) = str(error.value).splitlines()
    return line


@pytest.mark.usefixtures("programs")
def test_a_machine_without_docker_is_told_how_to_install_it() -> None:
    assert refusal() == "no `docker` command; run: sudo apt-get install -y docker.io"


@pytest.mark.parametrize(
    ("printed", "line"),
    [
        (
            NO_PERMISSION,
            'no permission on the Docker socket; run: sudo usermod -aG docker "$USER", then log in again',
        ),
        (NO_DAEMON, "Docker is not running; run: sudo systemctl start docker"),
        (NO_DAEMON_29, "Docker is not running; run: sudo systemctl start docker"),
        ("something new", "Docker does not answer: something new; run: docker info"),
    ],
)
def test_each_way_in_which_the_engine_cannot_be_reached_has_its_own_line(
    programs: Path, printed: str, line: str
) -> None:
    put_docker(programs, printed, 1, "2.26.1", 0)
    assert refusal() == line


def test_a_missing_compose_plugin_is_told_how_to_get_it(programs: Path) -> None:
    put_docker(programs, ENGINE, 0, NO_PLUGIN, 1)
    assert refusal() == "no `docker compose` command; run: make setup"


def test_compose_v1_alone_is_named_as_the_reason(programs: Path) -> None:
    put_docker(programs, ENGINE, 0, NO_PLUGIN, 1)
    put(programs / "docker-compose", "#!/bin/sh\necho 1.29.2\n")
    assert refusal() == "only Compose v1 (1.29.2), which cannot read the compose file; run: make setup"


@pytest.mark.parametrize("version", ["2.26.1-4", "v2.39.0", "5.0.1"])
def test_every_compose_since_v2_is_accepted(programs: Path, version: str) -> None:
    put_docker(programs, ENGINE, 0, version, 0)
    machine.require_docker()


def test_an_info_that_succeeds_without_a_server_is_still_a_daemon_that_does_not_run() -> None:
    answer = Answer(0, json.dumps({"ServerVersion": "", "ServerErrors": [NO_DAEMON]}))
    assert machine.explain_engine(answer).found == "Docker is not running"


def test_doctor_goes_on_to_the_end_without_docker_and_each_thing_lacking_says_what_helps(programs: Path) -> None:
    checks = {check.name: check for check in doctor.doctor()}
    assert not checks["Docker engine"].ok
    assert checks["Python"].ok
    assert not checks["nc, to talk to a server"].ok
    assert all(check.help for check in checks.values() if not check.ok)
    assert all(not check.help for check in checks.values() if check.ok)


def test_a_browser_named_by_the_environment_wins(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(programs / "chromium", "#!/bin/sh\n")
    put(programs / "mine", "#!/bin/sh\n")
    assert machine.find_browser() == str(programs / "chromium")
    monkeypatch.setenv("CHROMIUM", str(programs / "mine"))
    assert machine.find_browser() == str(programs / "mine")
