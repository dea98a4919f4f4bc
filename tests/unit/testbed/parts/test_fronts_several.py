"""Several fronts side by side: what they are called, what they count together, and where they are not allowed."""

from dataclasses import replace
from pathlib import Path

import pytest

from loadtests import targets
from testbed.errors import UserError
from testbed.parts import front, manifests
from testbed.parts import trial as parts
from testbed.parts.counts import UNKNOWN, FrontCounts, RequestCounts, ServerCounts, together
from testbed.plan import cells, fitting, sweepfile
from testbed.plan.fields import Machine
from testbed.stack import locust_api
from testbed.stack.run import Run
from tests.unit.testbed.run.test_checks_mesh import checked
from tests.unit.testbed.stack.golden_cases import run_of, trial_of

MACHINE = Machine(cpus=4, memory_bytes=2**32)
HTTP = "models: spmt\nlimits: {cpus: 0.4}\nworkload: {protocol: http, method: get, keys: 10}\n"
THREE = f"{HTTP}front: {{kind: nginx-cache, count: 3, cpus: 0.1}}\n"
ONE = f"{HTTP}front: {{kind: nginx-cache, cpus: 0.1}}\n"
EDGES = ("front-1", "front-2", "front-3")


def test_each_stands_before_all_servers_and_all_have_the_one_name_of_the_load() -> None:
    of = trial_of(THREE)
    boxes = [one for one in parts.boxes(Run(**run_of({})), of) if one.role == "front"]
    assert tuple(one.name for one in boxes) == EDGES == front.names(of.cell)
    assert front.NAME == targets.FRONT
    assert {one.aliases for one in boxes} == {("spmt",)}
    assert {one.environment["SERVERS"] for one in boxes} == {"spmt-1"}
    assert {one.limits.cpus for one in boxes} == {0.1}
    assert (front.names(trial_of(ONE).cell), front.names(trial_of(HTTP).cell)) == (("front",), ())
    assert fitting.cpus_of_all(of.cell) == pytest.approx(0.4 + 3 * 0.1)


def test_the_loads_connections_take_them_in_turn() -> None:
    several, one = (locust_api.form(trial_of(of), locust_api.Work(0, 0), 1.0, 2.0) for of in (THREE, ONE))
    assert (several["target"], several["dns"], one["dns"]) == ("spmt", "all", "once")


def test_each_is_asked_once_by_its_own_name_before_the_load() -> None:
    load, found, checks = checked(THREE, "spmt-1")
    checks.wait_until_ready()
    checks.verify()
    assert load.asked[-3:] == list(EDGES)
    assert (found.front_echoes, found.check_connections) == (3, 3)
    load, found, checks = checked(ONE, "spmt-1")
    checks.wait_until_ready()
    checks.verify()
    assert (load.asked[-1], found.front_echoes) == ("spmt", 1)


def test_only_caches_are_several_and_what_has_one_is_no_cell_more() -> None:
    front_of = "{kind: [none, haproxy, varnish], count: [1, 2]}"
    text = f"name: t\nlimits: {{cpus: 0.5}}\nworkload: {{protocol: http}}\nfront: {front_of}\n"
    found = cells.cells(sweepfile.parse(text, Path("t.yaml"), MACHINE))
    assert sorted({(cell.front, cell.fronts) for cell in found}) == [
        *(("haproxy", 1), ("none", 1), ("varnish", 1), ("varnish", 2))
    ]


SEEN = RequestCounts(fetched=5, refreshed=1, connections=2, failed=0, tried=6, retried=1, asked=9, refused=0)
COUNTS = FrontCounts(
    connections=7, open=3, open_most=4, limit=100, dropped=0, waiting=0, waiting_most=1, limited=2, requests=SEEN,
    servers={"a": ServerCounts(connections=3, open=1, waiting=0, failed=1)},
)  # fmt: skip


def test_what_they_count_adds_up() -> None:
    both = together([COUNTS, COUNTS])
    assert (both.connections, both.open, both.dropped, both.waiting, both.limited) == (14, 6, 0, 0, 4)
    assert both.servers == {"a": ServerCounts(connections=6, open=2, waiting=0, failed=2)}
    assert both.requests == RequestCounts(
        fetched=10, refreshed=2, connections=4, failed=0, tried=12, retried=2, asked=18, refused=0
    )
    # The most at once is of one moment: those of two fronts are none of both.
    assert (both.open_most, both.waiting_most, both.limit) == (None, None, None)
    assert together([COUNTS]) is COUNTS


@pytest.mark.parametrize(
    ("other", "lacking"),
    [
        (UNKNOWN, ("connections", "open", "dropped", "waiting", "limited", "requests")),
        (replace(COUNTS, dropped=None), ("dropped",)),
    ],
)
def test_a_part_of_a_sum_is_no_sum(other: FrontCounts, lacking: tuple[str, ...]) -> None:
    both = together([COUNTS, other])
    names = ("connections", "open", "dropped", "waiting", "limited", "requests")
    assert tuple(name for name in names if getattr(both, name) is None) == lacking
    unknown = replace(COUNTS, requests=replace(SEEN, fetched=None), servers={})
    assert together([COUNTS, unknown]).requests == replace(
        SEEN, fetched=None, refreshed=2, connections=4, tried=12, retried=2, asked=18
    )
    assert together([COUNTS, unknown]).servers == {"a": ServerCounts()}


def test_a_swarm_has_one() -> None:
    swarm = Machine(cpus=4, memory_bytes=2**32, networks=("overlay",))
    with pytest.raises(UserError, match=r"found 3 fronts, allowed: 1 on a Swarm"):
        sweepfile.parse(f"name: t\n{THREE}", Path("t.yaml"), swarm)


def test_kubernetes_has_one() -> None:
    with pytest.raises(UserError, match=r"^front.count: found several in every cell, allowed for Kubernetes: 1"):
        manifests.manifests(sweepfile.parse(f"name: t\n{THREE}", Path("t.yaml"), MACHINE), "1:1")
    both = f"name: t\n{HTTP}front: {{kind: nginx-cache, count: [1, 3], cpus: 0.1}}\n"
    made = manifests.manifests(sweepfile.parse(both, Path("t.yaml"), MACHINE), "1:1")
    assert not [name for name in made.files if name.startswith("002-")]
    assert [line for line in made.not_done if line.startswith("front.count: not written: 002-")]
