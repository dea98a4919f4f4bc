"""The set-up: what runs beside what, how a failure is told, and that `make demo` builds what its sweep needs."""

import re
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
import yaml

from testbed.errors import UserError
from testbed.setup import install
from testbed.stack import images
from testbed.stack.programs import CommandFailed, Commands, Interrupted

PROJECT = Path(__file__).parents[4]
TIMEOUT_S = 20


def test_make_demo_builds_the_images_of_its_sweep_and_no_other() -> None:
    done = subprocess.run(
        ["make", "--dry-run", "demo"], cwd=PROJECT, capture_output=True, text=True, timeout=TIMEOUT_S, check=True
    )
    (named,) = re.findall(r"testbed\.setup --images (.*)$", done.stdout, re.MULTILINE)
    assert named.split() == yaml.safe_load((PROJECT / "sweeps/quickstart.yaml").read_text())["models"]


def test_the_images_wait_for_base_and_compose_and_not_for_the_environment() -> None:
    order: list[str] = []
    built = threading.Event()

    def step(name: str) -> install.Step:
        return lambda _commands, _say: order.append(name)

    def environment(_commands: Commands, _say: install.Say) -> None:
        assert built.wait(TIMEOUT_S)
        order.append("environment")

    def build(_commands: Commands, _say: install.Say) -> None:
        order.append("images")
        built.set()

    install.run([step("base"), step("compose"), environment], print, last=build, needs=2)
    assert set(order[:2]) == {"base", "compose"}
    assert order[2:] == ["images", "environment"]


def test_where_there_can_be_no_base_nothing_is_built_and_the_cause_is_told_once() -> None:
    order: list[str] = []

    def base(_commands: Commands, _say: install.Say) -> None:
        raise UserError("no base")

    def other(commands: Commands, _say: install.Say) -> None:
        with pytest.raises((CommandFailed, Interrupted)):
            commands.run(["sleep", "600"])

    with pytest.raises(UserError, match="no base"):
        install.run([base, other], print, last=lambda _commands, _say: order.append("images"), needs=2)
    assert order == []


def test_no_base_is_made_where_the_images_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: list[str] = []

    def choose(*_: object) -> images.Base:
        chosen.append("base")
        return images.Base("base", "made here")

    monkeypatch.setattr(images, "choose_base", choose)
    monkeypatch.setattr(images, "remember", lambda _base: None)
    wrong: dict[str, str] = {}
    monkeypatch.setattr(images, "outdated", lambda names: {name: wrong[name] for name in names if name in wrong})
    install.base_for(["spst"])(Commands(), print)
    assert chosen == []
    wrong["spst"] = "of other code"
    install.base_for(["spst"])(Commands(), print)
    assert chosen == ["base"]


class _Untrusted(Commands):
    """pip behind a proxy whose certificate it does not trust."""

    def __init__(self) -> None:
        super().__init__()
        self.environments: list[Mapping[str, str]] = []

    def run(
        self, command: Sequence[str], on_line: object = None, environment: Mapping[str, str] | None = None
    ) -> list[str]:
        if "pip" not in command:
            return []
        self.environments.append(environment or {})
        lines = [
            "WARNING: Retrying after connection broken by 'SSLError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] failed ...",
            "ERROR: No matching distribution found for uv==0.13.9",
        ]
        raise CommandFailed(command, 1, lines)


def test_pip_is_given_the_machines_certificates_and_blamed_on_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "machine.pem"
    bundle.write_text("certificate")
    for variable in images.CA_BUNDLE_VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(images, "CA_BUNDLES", (str(bundle),))
    monkeypatch.setattr(install, "ENVIRONMENT", tmp_path / ".venv")
    commands = _Untrusted()
    with pytest.raises(UserError) as error:
        install.virtual_environment(commands, lambda _line: None)
    assert [environment["PIP_CERT"] for environment in commands.environments] == [str(bundle)]
    (line,) = str(error.value).splitlines()
    assert "certificate of the package index" in line and "PIP_CERT=FILE" in line
    assert "No matching distribution" not in line


def test_certificates_that_the_user_names_for_pip_stay() -> None:
    assert install.package_variables({"PIP_CERT": "/mine.pem"})["PIP_CERT"] == "/mine.pem"
