"""What the front was seen to eject, and what sidecars say, on a clock of its own."""

from typing import Any

from testbed.parts.asking import PartError
from testbed.parts.counts import FrontCounts
from testbed.run.meshing import Ejections, Sidecars


class Front:
    """Says what it is told to."""

    def __init__(self) -> None:
        self.out: frozenset[str] | None = frozenset()
        self.asked = 0

    def ejected(self) -> frozenset[str]:
        self.asked += 1
        if self.out is None:
            raise PartError("envoy does not answer")
        return self.out


def test_each_change_is_noted_when_it_is_seen() -> None:
    front, now = Front(), [0.0]
    ejections = Ejections(front, lambda: now[0])  # type: ignore[arg-type]

    def at(second: float, *out: str) -> float:
        now[0], front.out = second, frozenset(out)
        return ejections.look()

    assert at(0.0) == 0.25
    # Somebody else wanted to look.
    assert at(0.1, "a-2") == 0.15
    assert ejections.seen == []
    at(0.25, "a-2")
    at(0.5, "a-1", "a-2")
    front.out, now[0] = None, 0.75
    ejections.look()
    at(1.0, "a-1")
    assert [(one["at_s"], one["server"], one["is_ejected"]) for one in ejections.seen] == [
        *((0.25, "a-2", True), (0.5, "a-1", True)),
        (1.0, "a-2", False),
    ]
    assert front.asked == 5


def test_who_else_acts_is_looked_after_meanwhile() -> None:
    class Beside:
        def look(self) -> float:
            return 0.05

    assert Ejections(Front(), lambda: 0.0, Beside()).look() == 0.05  # type: ignore[arg-type]


def test_of_a_sidecar_that_does_not_say_nothing_is_known() -> None:
    class Client:
        def __init__(self, counts: FrontCounts | None) -> None:
            self.counts = counts

        def read(self) -> FrontCounts:
            if self.counts is None:
                raise PartError("gone")
            return self.counts

    clients: Any = {"a-1": Client(FrontCounts(connections=3)), "a-2": Client(None)}
    sidecars = Sidecars(clients)
    assert sidecars.read() == {"a-1-sidecar": FrontCounts(connections=3)}
    assert sidecars.beside("a-2") is clients["a-2"] and sidecars.beside("a-3") is None
