"""Short-lived containers of the engine's own errands go, however the errand ends."""

import os
import signal
from types import SimpleNamespace
from typing import Any

import docker.errors
import pytest
import requests

from testbed.errors import Breakdown, EngineGone, UserError
from testbed.interrupt import interruptible
from testbed.stack.docker import DockerEngine


class Container:
    """`ends` is what waiting for it comes to: an exit code, or what interrupts it."""

    labels: dict[str, str] = {}  # noqa: RUF012

    def __init__(self, ends: int | BaseException = 0, output: bytes = b"out") -> None:
        self.ends, self.output, self.removed, self.stubborn = ends, output, 0, 0

    def start(self) -> None: ...

    def wait(self) -> dict[str, int]:
        if isinstance(self.ends, BaseException):
            raise self.ends
        return {"StatusCode": self.ends}

    def logs(self, stdout: bool, stderr: bool) -> bytes:
        return self.output

    def get_archive(self, _path: str) -> Any:
        raise requests.ConnectionError("gone")

    def remove(self, **_: Any) -> None:
        self.removed += 1


def engine(container: Container, in_create: Any = lambda: None) -> DockerEngine:
    """An engine that makes this one container."""

    def create(*_: Any, **__: Any) -> Container:
        in_create()
        return container

    def listed(**_: Any) -> list[Container]:
        return [container] if container.removed <= container.stubborn else []

    made = DockerEngine.__new__(DockerEngine)
    containers = SimpleNamespace(create=create, list=listed)
    made._client = SimpleNamespace(containers=containers, volumes=SimpleNamespace(get=lambda _: None))
    return made


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_a_calibration_returns_what_it_printed_and_its_container_goes() -> None:
    container = Container()
    assert engine(container).run_once("image", ["calibrate"], "run", None) == "out"
    assert container.removed == 1


def test_a_calibration_that_fails_says_why_and_its_container_goes() -> None:
    container = Container(1, b"no such module\n")
    with pytest.raises(UserError, match=r"^image: calibrate failed: no such module$"):
        engine(container).run_once("image", ["calibrate"], "run", None)
    assert container.removed == 1


@pytest.mark.parametrize("ends", [KeyboardInterrupt(), requests.ConnectionError("gone")])
def test_a_calibration_that_is_cut_off_leaves_no_container(ends: BaseException) -> None:
    container = Container(ends)
    with pytest.raises((KeyboardInterrupt, EngineGone)):
        engine(container).run_once("image", ["calibrate"], "run", None)
    assert container.removed == 1


def test_an_interrupt_while_a_container_is_made_finds_it_and_removes_it() -> None:
    for errand in (
        lambda made: made.run_once("image", ["calibrate"], "run", None),
        lambda made: list(made.volume_files("results", "load", "image")),
    ):
        container = Container()
        with interruptible(), pytest.raises(KeyboardInterrupt):
            errand(engine(container, interrupt))
        assert container.removed == 1


def test_reading_a_volume_leaves_no_container_when_the_engine_goes() -> None:
    container = Container()
    with pytest.raises(EngineGone):
        list(engine(container).volume_files("results", "load", "image"))
    assert container.removed == 1


def test_what_a_trial_has_started_is_removed_until_it_is_gone_or_said_to_be_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    container = Container()
    container.stubborn = 2
    engine(container).remove_trial("run", "trial")
    assert container.removed == 3
    monkeypatch.setattr("testbed.stack.leftovers.REMOVAL_TIMEOUT_S", 0.0)
    container.stubborn = 10**6
    with pytest.raises(Breakdown, match=r"^trial 001: its containers cannot be removed$"):
        engine(container).remove_trial("run", "001")


def test_an_engine_that_refuses_in_a_trial_is_told_as_its_own_words() -> None:
    made = engine(Container())

    def refuse(**_: Any) -> None:
        raise docker.errors.APIError("500", explanation="driver failed")

    made._client.containers.list = refuse
    with pytest.raises(Breakdown, match=r"^Docker's engine reports: driver failed$"):
        made.runs()
