"""The scaler of a stack by hand, on containers that are made up: when it reads, what it then does, what it says."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from testbed.errors import UserError
from testbed.plan.scaling import Forecast, Law
from testbed.run.autoscaler import Autoscaler
from testbed.stack.replicas_by_hand import Counted, Replica

SECOND = 1_000_000
LAW = Law("replicas", "cpu", 0.6, 1, 4, every_us=2 * SECOND, down_after_us=4 * SECOND)
FIRST = Replica("id1", 1, "spmt-1", "10.0.0.1", 0.5, 2**27, is_healthy=True)


@dataclass
class Made:
    """Replicas that use what they are told to, while a clock goes on that whoever waits pushes."""

    running: list[Replica] = field(default_factory=lambda: [FIRST])
    load_cpus: float = 0.0
    """What all use together, shared out equally and bounded by the limits."""
    queue: float | None = None
    now_s: float = 100.0
    said: list[str] = field(default_factory=list)
    readings: list[float] = field(default_factory=list)
    changes_take_s: float = 0.0
    used_s: dict[str, float] = field(default_factory=dict)
    refuses: bool = False
    unread: bool = False
    made: int = 1

    def pass_by(self, seconds: float) -> None:
        for one in self.running:
            share = min(self.load_cpus / len(self.running), one.cpus or 0.0)
            self.used_s[one.id] = self.used_s.get(one.id, 0.0) + share * seconds
        self.now_s += seconds

    def replicas(self) -> list[Replica]:
        return list(self.running)

    def counted(self, replica: Replica) -> Counted | None:
        if self.unread:
            return None
        self.readings.append(self.now_s)
        return Counted(self.now_s, self.used_s.get(replica.id, 0.0), 2**26)

    def waiting(self, replicas: Sequence[Replica]) -> float | None:
        return self.queue

    def grow(self, count: int) -> str:
        if self.refuses:
            raise UserError("port 8082 of 127.0.0.1 is in use")
        while len(self.running) < count:
            self.made += 1
            number = len(self.running) + 1
            self.running.append(replace(FIRST, id=f"id{self.made}", number=number, name=f"spmt-{number}"))
        self.pass_by(self.changes_take_s)
        return "grown"

    def take_out(self, replica: Replica) -> str:
        self.running.remove(replica)
        self.pass_by(self.changes_take_s)
        return "is stopped"

    def set_cpus(self, replica: Replica, cpus: float) -> None:
        self.running = [replace(one, cpus=cpus) if one.id == replica.id else one for one in self.running]

    def scaler(self, law: Law = LAW, verbose: bool = False) -> Autoscaler:
        return Autoscaler(law, self, self.said.append, verbose, clock=lambda: self.now_s)

    def run(self, law: Law, seconds: float, verbose: bool = False) -> None:
        """Then there is nothing left, which ends it."""
        until = self.now_s + seconds

        def wait(seconds: float) -> None:
            self.pass_by(seconds)
            if self.now_s > until:
                self.running = []

        self.scaler(law, verbose).run(wait)


def test_a_load_that_grows_brings_replicas_one_that_goes_takes_the_last_that_came() -> None:
    made = Made(load_cpus=0.5)
    made.run(LAW, 5)
    assert made.said == [
        "2.0 s: 1 -> 2 replicas: cpu 1.00 of target 0.60 x 1 replica: 2",
        "  grown",
        "none runs any more",
    ]
    made = Made(load_cpus=0.0, running=[FIRST, replace(FIRST, id="id2", number=2, name="spmt-2")])
    made.run(LAW, 3)
    assert made.said[:2] == [
        "2.0 s: 2 -> 1 replica: cpu 0.00 of target 0.60 x 2 replicas: 0; bounded by min 1",
        "  spmt-2 is stopped",
    ]


def test_replicas_stay_as_long_as_they_were_asked_for_within_the_window() -> None:
    made = Made(load_cpus=0.5)
    scaler = made.scaler()
    scaler.begin()
    found = []
    for load_cpus in (0.5, 0.0, 0.0, 0.0):
        made.load_cpus = load_cpus
        made.pass_by(2)
        scaler.look()
        found.append(len(made.running))
    assert found == [2, 2, 1, 1]


def test_a_decision_that_changes_nothing_has_a_line_only_where_that_is_asked_for() -> None:
    quiet, verbose = Made(load_cpus=0.3), Made(load_cpus=0.3)
    quiet.run(LAW, 3)
    verbose.run(LAW, 3, verbose=True)
    assert quiet.said == ["none runs any more"]
    assert verbose.said[0] == "2.0 s: 1 replica: cpu 0.60 of target 0.60 x 1 replica: 1"


def test_what_is_used_while_something_is_changed_is_no_reading() -> None:
    made = Made(load_cpus=0.5, changes_take_s=7)
    made.run(LAW, 12)
    # Before, at the first decision, at the end of the change, and then as long after it as ever.
    assert sorted(set(made.readings)) == [100, 102, 109, 111]


def test_of_a_replica_that_cannot_be_read_nothing_is_decided() -> None:
    made = Made(load_cpus=0.5, unread=True)
    made.run(LAW, 3, verbose=True)
    assert made.said[0] == "2.0 s: 1 replica: cpu: no reading of any replica that is ready; stays at 1"
    assert made.said[1:] == ["none runs any more"]


def test_a_change_that_is_refused_is_said_and_tried_again() -> None:
    made = Made(load_cpus=0.5, refuses=True)
    scaler = made.scaler()
    scaler.begin()
    for refuses in (True, False):
        made.refuses = refuses
        made.pass_by(2)
        assert scaler.look()
    assert made.said[1] == "  not done: port 8082 of 127.0.0.1 is in use"
    assert made.said[3] == "  grown"
    assert len(made.running) == 2


def test_one_that_died_is_replaced_by_what_the_others_use() -> None:
    second = replace(FIRST, id="id2", number=2, name="spmt-2")
    made = Made(load_cpus=0.6, running=[FIRST, second])
    scaler = made.scaler()
    scaler.begin()
    made.pass_by(2)
    assert not scaler.look()
    made.running.remove(second)
    made.pass_by(2)
    scaler.look()
    assert len(made.running) == 2


def test_what_waits_decides_where_it_is_the_queue_that_is_asked_for() -> None:
    law = Law("replicas", "queue", 4, 1, 4, every_us=2 * SECOND)
    made = Made(queue=12.0)
    made.run(law, 3)
    assert made.said[0] == "2.0 s: 1 -> 3 replicas: queue 12 of target 4 x 1 replica: 3"
    unknown = Made(queue=None)
    unknown.run(law, 3)
    assert unknown.said == ["none runs any more"]


def test_memory_is_a_share_of_the_limit_now() -> None:
    made = Made()
    made.run(Law("replicas", "memory", 0.25, 1, 4, every_us=2 * SECOND), 3)
    assert made.said[0] == "2.0 s: 1 -> 2 replicas: memory 0.50 of target 0.25 x 1 replica: 2"


def test_cpus_of_each_are_changed_where_that_is_asked_for() -> None:
    made = Made(load_cpus=1.0, running=[FIRST, replace(FIRST, id="id2", number=2, name="spmt-2")])
    scaler = made.scaler(Law("cpus", "cpu", 0.5, 0.1, 0.8, every_us=2 * SECOND))
    scaler.begin()
    made.pass_by(2)
    assert scaler.look()
    assert [one.cpus for one in made.running] == [0.8, 0.8]
    assert made.said == [
        "2.0 s: 0.5 -> 0.8 CPUs each: cpu 1.00 of target 0.50 x 2 replicas: 1 CPUs; bounded by max 0.8"
    ]


def test_a_forecast_of_the_cpu_that_all_use_brings_replicas_before_they_are_needed() -> None:
    law = replace(LAW, forecast=Forecast("linear", 6 * SECOND))
    made = Made()
    scaler = made.scaler(law)
    scaler.begin()
    for load_cpus in (0.05, 0.1, 0.15, 0.2):
        made.load_cpus = load_cpus
        made.pass_by(2)
        scaler.look()
    assert len(made.running) == 2
    assert "linear: 1.75 times in 6 s" in made.said[0]


def test_a_reading_is_missing_for_as_long_as_a_change_took() -> None:
    law = replace(LAW, forecast=Forecast("linear", 2 * SECOND))
    made = Made(load_cpus=0.5, changes_take_s=4)
    scaler = made.scaler(law, verbose=True)
    scaler.begin()
    for _ in range(2):
        made.pass_by(2)
        scaler.look()
    # Two are read, and between them two are filled in.
    assert "no forecast" in made.said[0]
    assert "linear: " in made.said[-1]


@pytest.mark.parametrize("restarted_s", [0.0, -1.0])
def test_counts_that_do_not_go_on_are_no_reading(restarted_s: float) -> None:
    made = Made(load_cpus=0.5)
    scaler = made.scaler(verbose=True)
    scaler.begin()
    made.now_s += restarted_s
    scaler.look()
    assert "no reading" in made.said[0]
