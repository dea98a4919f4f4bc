"""CPU sets are disjoint by cores where the machine allows it, and what it does not allow is said."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.plan import sweepfile
from testbed.run import preparation
from testbed.stack.cpus import (
    Core,
    CpuSets,
    Topology,
    across,
    elsewhere,
    format_cpu_list,
    parse_cpu_list,
    partition,
    read,
)
from testbed.stack.docker import DockerEngine


def machine(root: Path, siblings: dict[int, str], packages: dict[int, int] | None = None, online: str = "") -> Path:
    """A /sys with these CPUs, as the kernel lays it out."""
    directory = root / "devices/system/cpu"
    for cpu, threads in siblings.items():
        topology = directory / f"cpu{cpu}/topology"
        topology.mkdir(parents=True)
        (topology / "thread_siblings_list").write_text(f"{threads}\n")
        (topology / "physical_package_id").write_text(f"{(packages or {}).get(cpu, 0)}\n")
    (directory / "online").write_text((online or format_cpu_list(siblings)) + "\n")
    return root


def lone(*cpus: int) -> Topology:
    return Topology(tuple(Core((cpu,)) for cpu in cpus))


# As lscpu numbers them: siblings are half the machine apart.
SMT_2 = Topology((Core((0, 1)),))
SMT_4 = Topology((Core((0, 2)), Core((1, 3))))
SMT_8 = Topology(tuple(Core((cpu, cpu + 4)) for cpu in range(4)))
TWO_SOCKETS_64 = Topology(tuple(Core((cpu, cpu + 32), cpu // 16) for cpu in range(32)))

MASTER_SHARES = "Locust's master and the probe share {} with the load workers"
SAME_CORES = "{} of the server and {} of the load workers are hardware threads of the same cores: each slows the other"

TABLE: list[tuple[str, Topology, float, int, tuple[str, str, str | None, bool], list[str] | None]] = [
    (
        "one CPU",
        lone(0),
        0.5,
        1,
        ("0", "0", "0", False),
        ["server, load workers and the rest share CPU 0: too few CPUs to keep them apart"],
    ),
    ("two cores", lone(0, 1), 1.0, 1, ("1", "0", "0", True), [MASTER_SHARES.format("CPU 0")]),
    (
        "two cores, two workers",
        lone(0, 1),
        0.25,
        2,
        ("1", "0", "0", True),
        [MASTER_SHARES.format("CPU 0"), "2 load workers share CPU 0"],
    ),
    (
        "a server as large as the machine",
        lone(0, 1),
        2.0,
        1,
        ("0-1", "0-1", "0-1", False),
        ["server, load workers and the rest share CPUs 0-1: too few CPUs to keep them apart"],
    ),
    (
        "a server larger than the machine",
        lone(0, 1),
        3.0,
        1,
        ("0-1", "0-1", "0-1", False),
        [
            "the server may use 3 CPUs, but only 2 can be given to it",
            "server, load workers and the rest share CPUs 0-1: too few CPUs to keep them apart",
        ],
    ),
    (
        "two threads of one core",
        SMT_2,
        1.0,
        1,
        ("0", "1", "1", False),
        [SAME_CORES.format("CPU 0", "CPU 1")],
    ),
    ("three cores", lone(0, 1, 2), 1.0, 1, ("2", "1", "0", True), []),
    ("four cores", lone(0, 1, 2, 3), 1.0, 2, ("3", "1-2", "0", True), []),
    ("four cores, server of 1.5", lone(0, 1, 2, 3), 1.5, 1, ("2-3", "1", "0", True), []),
    (
        "two cores of two threads: the server's second thread stays idle",
        SMT_4,
        1.0,
        1,
        ("1", "0,2", "0,2", True),
        [MASTER_SHARES.format("CPUs 0,2")],
    ),
    ("two cores of two threads, a pair for the server", SMT_4, 2.0, 2, ("1,3", "0,2", "0,2", True), None),
    (
        "two cores of two threads, three for the server",
        SMT_4,
        3.0,
        1,
        ("0-2", "3", "3", False),
        [SAME_CORES.format("CPUs 0-2", "CPU 3")],
    ),
    ("eight CPUs of four cores", SMT_8, 1.0, 1, ("3", "2,6", "0-1,4-5", True), []),
    ("eight CPUs of four cores, two for the server", SMT_8, 2.0, 3, ("3,7", "1-2,5-6", "0,4", True), []),
    ("64 CPUs on two sockets", TWO_SOCKETS_64, 4.0, 4, ("30-31,62-63", "28-29,60-61", None, True), []),
    (
        "a server larger than a socket",
        TWO_SOCKETS_64,
        34.0,
        2,
        ("15-31,47-63", "14,46", None, True),
        ["CPUs 15-31,47-63 of the server are on more than one socket"],
    ),
    ("odd numbers", lone(1, 4, 7, 8, 9), 2.0, 2, ("8-9", "4,7", "1", True), []),
]


@pytest.mark.parametrize(("name", "topology", "cpus", "workers", "sets", "notes"), TABLE, ids=[row[0] for row in TABLE])
def test_table(
    name: str,
    topology: Topology,
    cpus: float,
    workers: int,
    sets: tuple[str, str, str | None, bool],
    notes: list[str] | None,
) -> None:
    found = partition(topology, cpus, workers)
    server, generator, rest, isolated = sets
    assert (found.server, found.generator, found.isolated) == (server, generator, isolated)
    assert rest is None or found.rest == rest
    assert notes is None or list(found.notes) == notes


def test_a_machine_that_does_not_tell_its_cpus_pins_nothing_and_says_so() -> None:
    assert partition(Topology(()), 1.0, 1) == CpuSets(
        None, None, None, False, ("nothing is pinned: this machine does not tell its CPU topology",)
    )


def test_of_a_machine_elsewhere_only_the_number_of_cpus_is_known_and_nothing_is_claimed() -> None:
    found = partition(elsewhere(4), 1.0, 1)
    assert (found.server, found.generator, found.rest) == ("3", "2", "0-1")
    assert found.isolated is None
    (note,) = found.notes
    assert note == (
        "the engine is on another machine, of which only the number of CPUs is known (4): which of them are hardware "
        "threads of one core is not known"
    )
    assert partition(elsewhere(1), 1.0, 1).isolated is False


@dataclass
class Remote:
    """An engine, as far as CPU sets need it."""

    cpus: int = 8
    is_here: bool = False
    cpu_sets = DockerEngine.cpu_sets


def test_nothing_of_this_machine_is_taken_for_an_engine_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("testbed.stack.cpus.read", lambda: lone(100, 101))
    wanted = sweepfile.parse("name: a\nlimits: {cpus: 1}\n", Path("a.yaml"), sweepfile.Machine(8, 2**33))
    assert preparation.cpu_sets(wanted, Remote()) == partition(elsewhere(8), 1.0, 1)  # type: ignore[arg-type]
    assert preparation.cpu_sets(wanted, Remote(is_here=True)).generator == "100"  # type: ignore[arg-type]


topologies = st.builds(
    lambda cores, threads, packages, drop: Topology(
        tuple(
            Core(kept, core * packages // cores)
            for core in range(cores)
            if (kept := tuple(cpu for t in range(threads) if (cpu := core + t * cores) not in drop))
        )
    ),
    st.integers(1, 40),
    st.integers(1, 4),
    st.integers(1, 2),
    st.frozensets(st.integers(0, 159), max_size=20),
).filter(lambda topology: bool(topology.cores))


def test_a_whole_core_that_is_left_over_goes_to_the_generator() -> None:
    uneven = Topology((Core((0, 3), 0), Core((1, 4), 0), Core((2,), 0)))
    found = partition(uneven, 4.0, 1)
    assert (found.server, found.generator, found.isolated) == ("0-1,3-4", "2", True)


@given(topologies, st.floats(0.05, 200), st.integers(1, 32))
def test_sets_are_of_the_machine_never_empty_and_disjoint_by_cores_where_isolated(
    topology: Topology, cpus: float, workers: int
) -> None:
    found = partition(topology, cpus, workers)
    assert found == partition(topology, cpus, workers)
    server, generator, rest = (set(parse_cpu_list(text or "")) for text in (found.server, found.generator, found.rest))
    assert server
    assert generator
    assert rest
    assert server | generator | rest <= topology.cpus
    assert len(server) == min(-(-cpus // 1), len(topology.cpus))
    cores = [
        {core.cpus for core in topology.cores if set(core.cpus) & cpus_of} for cpus_of in (server, generator, rest)
    ]
    assert found.isolated == cores[0].isdisjoint(cores[1] | cores[2])
    assert found.isolated or found.notes
    # The rest is apart from the generator or is said to share with it.
    assert not rest & generator or any("share" in note or "threads" in note for note in found.notes)
    assert len(generator) >= workers or any("load workers share" in note for note in found.notes)


@given(st.frozensets(st.integers(0, 300)))
def test_cpu_lists_are_read_as_they_are_written(cpus: frozenset[int]) -> None:
    assert parse_cpu_list(format_cpu_list(cpus)) == tuple(sorted(cpus))


def test_cpu_lists_are_in_the_kernels_form() -> None:
    assert parse_cpu_list("0-3,8\n") == (0, 1, 2, 3, 8)
    assert format_cpu_list([8, 0, 1, 3, 2]) == "0-3,8"
    with pytest.raises(ValueError, match="invalid literal"):
        parse_cpu_list("0-x")


def test_read_pairs_siblings_and_orders_by_socket(tmp_path: Path) -> None:
    root = machine(tmp_path, {0: "0,2", 1: "1,3", 2: "0,2", 3: "1,3"}, packages={0: 1, 2: 1})
    assert read(root) == Topology((Core((1, 3), 0), Core((0, 2), 1)))


def test_read_leaves_out_cpus_that_are_offline(tmp_path: Path) -> None:
    root = machine(tmp_path, {0: "0,2", 1: "1,3", 2: "0,2", 3: "1,3"}, online="0-2")
    assert read(root) == Topology((Core((0, 2)), Core((1,))))


def test_read_takes_a_cpu_without_told_siblings_for_a_core(tmp_path: Path) -> None:
    (tmp_path / "devices/system/cpu").mkdir(parents=True)
    (tmp_path / "devices/system/cpu/online").write_text("0-1\n")
    assert read(tmp_path) == lone(0, 1)


def test_read_finds_no_cores_where_there_is_no_such_file_system(tmp_path: Path) -> None:
    assert read(tmp_path) == Topology(())


@pytest.mark.parametrize(
    ("server_machine", "load_machine", "server_cpus", "workers", "sets", "isolated"),
    [
        (2, 2, 0.25, 1, ("1", "0", "0", "1"), None),
        (4, 8, 2, 2, ("2-3", "6-7", "0-1", "0-5"), None),
        (4, 4, 2, 3, ("2-3", "1-3", "0-1", "0"), None),
        (2, 2, 2, 1, ("0-1", "1", "0-1", "0"), False),
        (1, 1, 1, 2, ("0", "0", "0", "0"), False),
    ],
)
def test_across_machines_each_has_its_own_and_the_numbers_differ_where_they_can(
    server_machine: int,
    load_machine: int,
    server_cpus: float,
    workers: int,
    sets: tuple[str, ...],
    isolated: bool | None,
) -> None:
    found = across(server_machine, load_machine, server_cpus, workers)
    assert (found.server, found.generator, found.rest, found.beside_load) == sets
    assert found.isolated is isolated


def test_beside_the_load_is_the_rest_where_there_is_one_machine() -> None:
    assert partition(elsewhere(4), 1.0, 1).beside_load == partition(elsewhere(4), 1.0, 1).rest
