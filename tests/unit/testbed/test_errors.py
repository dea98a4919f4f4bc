"""What failed is one line, and what has to be done is done whatever failed before it."""

import errno
import os
from pathlib import Path

import docker.errors
import pytest
import requests

from testbed.errors import Breakdown, EngineError, EngineGone, UserError, attempt, describe
from testbed.files import write_atomically
from testbed.results.directory import ResultsDirectory
from testbed.stack.compose_run import compose_failure
from testbed.stack.speaking import speaking


def test_every_step_is_tried_and_what_failed_is_told_in_order() -> None:
    done: list[str] = []

    def fails(what: str) -> None:
        done.append(what)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), what)

    failed = attempt(lambda: fails("logs"), lambda: done.append("containers"), lambda: fails("table"))
    assert done == ["logs", "containers", "table"]
    assert [describe(error) for error in failed] == ["logs: No space left on device", "table: No space left on device"]


def test_an_interrupt_is_not_kept_from_whoever_waits_for_it() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        attempt(interrupted)


@pytest.mark.parametrize("kind", [UserError, Breakdown, EngineGone])
def test_what_was_foreseen_speaks_for_itself(kind: type[Exception]) -> None:
    assert describe(kind("what\nand what else")) == "what; and what else"


def test_what_nobody_foresaw_is_a_line_that_says_where_its_traceback_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (failed,) = attempt(lambda: {}["no such name"])
    line = describe(failed)
    (written,) = tmp_path.iterdir()
    assert line == f"unexpected KeyError: 'no such name'; its traceback: {written}"
    assert "test_errors.py" in written.read_text()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    assert describe(failed) == "unexpected KeyError: 'no such name'; its traceback cannot be written"


def from_docker(error: Exception) -> Exception:
    """What gets out of the one place that talks to Docker."""
    with pytest.raises(EngineError) as caught, speaking():
        raise error
    return caught.value


def test_an_engine_that_has_died_is_one_line_with_the_systems_word_for_it() -> None:
    refused = requests.ConnectionError("Connection aborted.", ConnectionRefusedError(errno.ECONNREFUSED, "Refused"))
    gone = from_docker(refused)
    assert isinstance(gone, EngineGone)
    assert str(gone) == "Docker's engine does not answer any more: Refused"
    late = from_docker(requests.ReadTimeout("UnixHTTPConnectionPool: Read timed out. (read timeout=60)"))
    assert isinstance(late, EngineGone)


def test_an_engine_that_errs_is_told_in_its_own_words_and_has_not_gone() -> None:
    erred = from_docker(docker.errors.APIError("500 Server Error", explanation="mkdir /x: no space left on device\n"))
    assert not isinstance(erred, EngineGone)
    assert str(erred) == "Docker's engine reports: mkdir /x: no space left on device"


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("Cannot connect to the Docker daemon at unix:///run/docker.sock. Is the docker daemon running?", EngineGone),
        ("error during connect: Post http://docker/v1.41/containers/create: EOF", EngineGone),
        ("Error response from daemon: write /var/lib/docker/tmp/x: no space left on device", EngineError),
        ('Error response from daemon: exec: "/no/such/program": no such file or directory', UserError),
        ("", UserError),
    ],
)
def test_a_stack_that_does_not_start_is_the_trials_matter_unless_it_is_the_engines(
    said: str, kind: type[Exception]
) -> None:
    failure = compose_failure(Path("compose.yaml"), f" Container x  Creating\n{said}\n" if said else "")
    assert type(failure) is kind
    assert str(failure).endswith(f"docker compose up failed: {said or 'no reason given'}")


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
def test_a_file_for_which_there_is_no_room_is_named_and_not_the_one_that_stands_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.fsync", lambda _: os.write(full, b"x"))
    full = os.open(FULL, os.O_WRONLY)
    try:
        with pytest.raises(OSError, match="No space left on device") as caught:
            write_atomically(tmp_path / "trial.json", "{}")
    finally:
        os.close(full)
    assert describe(caught.value) == f"{tmp_path / 'trial.json'}: No space left on device"
    assert list(tmp_path.iterdir()) == []


def test_room_is_looked_for_where_the_containers_write(tmp_path: Path) -> None:
    directory = ResultsDirectory(tmp_path)
    directory.load.mkdir()
    directory.check_room()
    assert list(directory.load.iterdir()) == []
    directory.load.rmdir()
    with pytest.raises(FileNotFoundError):
        directory.check_room()
