"""A fault comes at its time and goes at its time, and what was done is written down. On a clock of its own."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from testbed.errors import UserError
from testbed.parts.asking import PartError
from testbed.plan.fault import Fault
from testbed.run.faulting import Faulting


@dataclass
class Trial:
    """What is under test, and the clock."""

    now: float = 0.0
    done: list[Any] = field(default_factory=list)
    says: str = ""
    dead: bool = False
    seen: dict[str, Any] = field(default_factory=lambda: {"spmt-2": SimpleNamespace(crashes=[])})

    def clock(self) -> float:
        return self.now

    def freeze(self, name: str) -> None:
        self.done.append(("freeze", name))

    def thaw(self, name: str) -> None:
        self.done.append(("thaw", name))

    def crash(self, name: str, how: str) -> str:
        self.done.append(("crash", name, how))
        return self.says

    def fail(self, share: float) -> None:
        if self.dead:
            raise PartError("spmt-2-sidecar does not answer")
        self.done.append(("fail", share))

    def delay(self, by_us: int, share: float) -> None:
        self.done.append(("delay", by_us, share))

    def run(self, fault: Fault, until: float) -> Faulting:
        """As a trial does: it looks when it was asked to, and closes the window."""
        faulting = Faulting(fault, "spmt-2", self, self, self, self.clock)  # type: ignore[arg-type]
        while self.now < until:
            self.now = min(until, self.now + max(0.0, faulting.look()))
        faulting.end()
        return faulting


def test_a_server_stands_still_for_its_time() -> None:
    trial = Trial()
    ran = trial.run(Fault("stopped", 3_000_000, for_us=4_000_000), until=10)
    assert trial.done == [("freeze", "spmt-2"), ("thaw", "spmt-2")]
    assert ran.lacking == ""
    assert [(one.at_s, one.what, one.was, one.to, one.done, one.reason) for one in ran.actions] == [
        (3.0, "spmt-2", "as usual", "stopped", True, "as planned for 3s"),
        (7.0, "spmt-2", "stopped", "as usual", True, "as planned for 7s"),
    ]


def test_what_lasts_until_the_window_closes_is_put_right_then() -> None:
    trial = Trial()
    ran = trial.run(Fault("stopped", 3_000_000), until=10)
    assert [(one.at_s, one.to, one.reason) for one in ran.actions[1:]] == [(10.0, "as usual", "the window has closed")]
    assert trial.done[-1] == ("thaw", "spmt-2")


def test_a_window_that_is_cut_off_before_its_fault_has_nothing_to_put_right() -> None:
    trial = Trial()
    cut = trial.run(Fault("stopped", 3_000_000), until=2)
    assert (cut.actions, cut.lacking) == ([], "the trial ended before it")
    assert trial.done == []


def test_a_crash_is_asked_for_once_and_counted_before_it_comes() -> None:
    trial = Trial()
    ran = trial.run(Fault("crashed", 2_000_000, how="exit"), until=10)
    assert trial.done == [("crash", "spmt-2", "exit")]
    assert trial.seen["spmt-2"].crashes == ["exit"]
    assert [(one.to, one.done, one.said) for one in ran.actions] == [("crashed (exit)", True, [])]


def test_a_crash_that_did_not_come_is_told() -> None:
    trial = Trial(says="spmt-2 has not answered within 1 s: others may be before it")
    ran = trial.run(Fault("crashed", 2_000_000), until=10)
    assert [(action.done, action.said) for action in ran.actions] == [(False, [trial.says])]
    assert ran.lacking == trial.says


def test_crashes_come_again_as_often_as_asked_until_their_time_is_over() -> None:
    trial = Trial()
    trial.run(Fault("crashed", 1_000_000, for_us=2_000_000, how="raise", every_us=500_000), until=10)
    assert trial.done == [("crash", "spmt-2", "raise")] * 4


@pytest.mark.parametrize(
    ("fault", "done"),
    [
        (Fault("failing", 0, for_us=1_000_000, share=0.5), [("fail", 0.5), ("fail", 0.0)]),
        (Fault("slow", 0, for_us=1_000_000, by_us=200), [("delay", 200, 1.0), ("delay", 0, 0.0)]),
    ],
)
def test_a_sidecar_is_told_and_told_again(fault: Fault, done: list[Any]) -> None:
    trial = Trial()
    trial.run(fault, until=2)
    assert trial.done == done


def test_a_sidecar_that_does_not_answer_is_in_the_record() -> None:
    ran = Trial(dead=True).run(Fault("failing", 0, for_us=1_000_000), until=2)
    begun, _ = ran.actions
    assert (begun.done, begun.said) == (False, ["spmt-2-sidecar does not answer"])
    assert ran.lacking == "spmt-2-sidecar does not answer"


def test_an_engine_that_refuses_is_in_the_record() -> None:
    trial = Trial()

    def refused(_: str) -> None:
        raise UserError("cannot be paused: no freezer")

    trial.freeze = refused  # type: ignore[method-assign]
    ran = trial.run(Fault("stopped", 0), until=1)
    assert ran.lacking == "cannot be paused: no freezer"


def test_who_else_acts_is_looked_after_meanwhile() -> None:
    trial, looks = Trial(), []

    class Beside:
        def look(self) -> float:
            looks.append(trial.now)
            return 0.25

    faulting = Faulting(Fault("stopped", 1_000_000), "spmt-2", trial, trial, None, trial.clock, Beside())  # type: ignore[arg-type]
    assert faulting.look() == 0.25
    trial.now = 0.9
    assert faulting.look() == pytest.approx(0.1)
    assert looks == [0.0, 0.9]
