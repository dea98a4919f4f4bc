"""What of new limits is refused before anything is asked of the engine, and how what the engine says is told."""

import pytest

from testbed.errors import EngineGone, UserError
from testbed.plan.fields import Machine
from testbed.stack import by_hand, resizing
from testbed.stack.resizing import InForce

MACHINE = Machine(cpus=2, memory_bytes=2**30)
MIB = 2**20


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> by_hand.Containers:
    """Three replicas of which nothing may be changed."""
    found = by_hand.Containers("spmt", (("1a", "spmt-1"), ("2b", "spmt-2"), ("3c", "spmt-3")))
    monkeypatch.setattr(by_hand, "containers", lambda model: found if model == "spmt" else by_hand.Containers(model))
    monkeypatch.setattr(resizing, "set_limits", lambda *_: pytest.fail("limits were set"))
    return found


@pytest.mark.parametrize(
    ("model", "cpus", "memory", "said"),
    [
        ("spmt", None, None, "scale: found neither --cpus nor --memory, allowed: at least one of them"),
        ("spmt", 3.0, None, "--cpus: found 3.0, allowed: a number from 0.05 to 2 (this machine has 2 CPUs)"),
        ("spmt", None, "1", "--memory: found '1', allowed: a size from 16MiB to 1GiB with its unit, such as 128MiB"),
        ("spst", 1.0, None, "spst: found none that runs, allowed: what `orchestrate.py up spst` has started"),
        (
            "spmt",
            0.75,
            None,
            "--cpus: found 0.75 for each of 3, 2.25 in all, allowed: at most the 2 CPUs of this machine",
        ),
        (
            "spmt",
            None,
            "512MiB",
            "--memory: found 512MiB for each of 3, allowed: at most the 1GiB of this machine together",
        ),
    ],
)
@pytest.mark.usefixtures("running")
def test_what_cannot_be_is_one_line(model: str, cpus: float | None, memory: str | None, said: str) -> None:
    with pytest.raises(UserError) as error:
        resizing.scale(model, cpus, memory, MACHINE, print)
    assert str(error.value) == said


def test_every_container_of_a_model_is_found_and_none_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [
        "9 event-loop-uvloop threadmill-event-loop-uvloop-1",
        "1 event-loop threadmill-event-loop-10",
        "2 event-loop threadmill-event-loop-2",
        "4 probe-event-loop threadmill-probe-event-loop-1",
        "5 worker threadmill-worker-1",
    ]
    monkeypatch.setattr(by_hand, "_compose", lambda *_: "\n".join(lines))
    assert by_hand.containers("event-loop").ids == (("2", "event-loop-2"), ("1", "event-loop-10"))
    assert by_hand.containers("event-loop-uvloop").ids == (("9", "event-loop-uvloop"),)
    assert by_hand.containers("spst").ids == ()


def test_limits_are_said_in_words() -> None:
    assert str(InForce(0.5, 128 * MIB)) == "0.5 CPUs, 128MiB"
    assert str(InForce(1.0, 2**30)) == "1 CPU, 1GiB"
    assert str(InForce(None, None)) == "no limit of CPUs, no limit of memory"


@pytest.mark.parametrize(
    ("errors", "kind", "said"),
    [
        ("Error response from daemon: No such container: x\n", UserError, "docker update failed: No such container: x"),
        ("", UserError, "docker update failed: no reason given"),
        (
            "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?\n",
            EngineGone,
            "docker update: Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?",
        ),
    ],
)
def test_what_the_engine_says_is_one_line(errors: str, kind: type[Exception], said: str) -> None:
    found = resizing._failure("update", errors)
    assert type(found) is kind
    assert str(found) == said
