"""A sweep file is taken whole or refused with file, line, what was found and what is allowed."""

from dataclasses import replace
from pathlib import Path

import pytest

from testbed.errors import UserError
from testbed.plan.sweepfile import Machine, Sweep, dump, load, parse

MACHINE = Machine(cpus=2, memory_bytes=8 * 2**30)
SWEEPS = Path(__file__).parents[4] / "sweeps"


def read(text: str) -> Sweep:
    return parse(text, Path("some.yaml"), MACHINE)


def refusal(text: str) -> str:
    with pytest.raises(UserError) as refused:
        read(text)
    return str(refused.value)


def test_single_values_and_lists_are_both_axes() -> None:
    sweep = read("name: one\nlimits: {cpus: [0.5, 1], memory: 64MiB}\nworkload: {sleep: 5ms}\nload: {users: [1, 8]}\n")
    assert sweep.limits.cpus == (0.5, 1.0)
    assert sweep.limits.memory == (64 * 2**20,)
    assert sweep.workload.sleep == (5_000,)
    assert sweep.load.users == (1, 8)


def test_connection_takes_its_three_forms() -> None:
    sweep = read("name: one\nworkload:\n  connection: [persistent, per-request, {requests: 20}]\n")
    assert sweep.workload.connection == ("persistent", "per-request", "20")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "name: a\nmodels: [spst, spxt]\n",
            "some.yaml:2: models: found 'spxt', allowed: one of spst, spmt, mpst, mpmt, ",
        ),
        ("name: a\nmodel: spst\n", "some.yaml:2: model: unknown key, allowed: name, models, limits"),
        ("name: a\nlimits:\n  cpu: 1\n", "some.yaml:3: limits.cpu: unknown key, allowed: cpus, memory"),
        (
            "name: a\nlimits:\n  cpus: 0\n",
            "some.yaml:3: limits.cpus: found 0, allowed: a number from 0.05 to 2 (this machine has 2 CPUs)",
        ),
        (
            "name: a\nlimits:\n  cpus:\n    - 1\n    - 99\n",
            "some.yaml:5: limits.cpus: found 99, allowed: a number from 0.05 to 2",
        ),
        (
            "name: a\nlimits: {memory: 1}\n",
            "some.yaml:2: limits.memory: found 1, allowed: a size from 16MiB to 8GiB with its unit",
        ),
        (
            "name: a\nlimits: {memory: 1MiB}\n",
            "some.yaml:2: limits.memory: found '1MiB', allowed: a size from 16MiB to 8GiB",
        ),
        ("name: a\nload: {users: -1}\n", "some.yaml:2: load.users: found -1, allowed: a whole number from 1 to 10000"),
        (
            "name: a\nload: {users: 1.5}\n",
            "some.yaml:2: load.users: found 1.5, allowed: a whole number from 1 to 10000",
        ),
        (
            "name: a\nload: {mode: opened}\n",
            "some.yaml:2: load.mode: found 'opened', allowed: 'closed', 'open', 'capacity' or 'relative'",
        ),
        (
            "name: a\nload: {mode: open}\n",
            "some.yaml:2: load: found {'mode': 'open'}, allowed: rate or profile beside mode open",
        ),
        ("name: a\nload: {rate: 5}\n", "allowed: rate only with mode open"),
        (
            "name: a\nload: {mode: open, rate: 0}\n",
            "some.yaml:2: load.rate: found 0, allowed: requests per second, 0.1 to",
        ),
        ("name: a\nload: {arrivals: poisson}\n", "allowed: arrivals only with the open modes"),
        ("name: a\nload: {engine: quick}\n", "load.engine: found 'quick', allowed: 'fast' or 'plain'"),
        ("name: a\nload: {precise: true}\n", "allowed: precise only with the open modes and engine fast"),
        (
            "name: a\nload: {mode: open, rate: 100, engine: plain, precise: true}\n",
            "allowed: precise only with the open modes and engine fast",
        ),
        ("name: a\nload: {mode: relative, slo: {p99: 5ms}}\n", "allowed: at beside mode relative, which needs it"),
        ("name: a\nload: {mode: capacity, slo: {p90: 5ms}}\n", "load.slo.p90: unknown key, allowed: p99"),
        ("name: a\nlimits: {cpus: 0.5, limit: cpuset}\n", "allowed: whole cpus with limit cpuset"),
        ("name: a\nimages: {apache: x}\n", "images.apache: found 'apache', allowed: one of spst, spmt"),
        ("name: a\nmodels: []\n", "some.yaml:2: models: found an empty list, allowed: at least one value"),
        ("name: a\nmodels: [spst, spst]\n", "some.yaml:2: models: found ['spst', 'spst'], allowed: each value once"),
        (
            "name: a\nworkload: {sleep: 5}\n",
            "some.yaml:2: workload.sleep: found 5, allowed: a number with one of the units us, ms, s, m",
        ),
        (
            "name: a\nworkload: {sleep: 11s}\n",
            "some.yaml:2: workload.sleep: found '11s', allowed: a duration from 0 to 10s",
        ),
        (
            "name: a\nworkload: {connection: never}\n",
            "some.yaml:2: workload.connection: found 'never', allowed: persistent, per-request",
        ),
        ("name: a\nwarmup: 0s\n", "some.yaml:2: warmup: found '0s', allowed: a duration from 1s to 10m"),
        ("name: a\nrepeat: 0\n", "some.yaml:2: repeat: found 0, allowed: a whole number from 1 to 1000"),
        ("name: a\nlimits: 5\n", "some.yaml:2: limits: found 5, allowed: a mapping of keys to values"),
        (
            "name: a\nexclude:\n  - {modell: spst}\n",
            "some.yaml:3: exclude.modell: unknown key, allowed: model, cpus, memory",
        ),
        ("name: a\nname: b\n", "some.yaml:2: name: found twice, allowed: each key once"),
        ("name: A b\n", "some.yaml:1: name: found 'A b', allowed: lower-case letters, digits and hyphens"),
        ("models: [spst]\n", "some.yaml:1: name: missing, and it has no default"),
        ("", "some.yaml:1: found an empty file, allowed: a mapping of keys to values"),
        ("- spst\n", "some.yaml:1: found a list, allowed: a mapping of keys to values"),
        ("name: a\nlimits: {cpus: [1\n", "some.yaml:3: not YAML: "),
    ],
)
def test_a_mistake_is_named_with_line_found_and_allowed(text: str, message: str) -> None:
    assert message in refusal(text)


def test_every_mistake_has_a_line_of_its_own() -> None:
    assert len(refusal("name: a\nmodels: [x]\nrepeat: 0\nload: {users: 0}\n").splitlines()) == 3


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.yaml: no such file; ready-made ones are in sweeps/$"):
        load(tmp_path / "gone.yaml", MACHINE)


def test_a_binary_file_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="cannot be read as text"):
        load(path, MACHINE)


# Those of what two cores cannot tell.
MORE_CORES = {"hybrid.yaml": 4}


@pytest.mark.parametrize("path", sorted(SWEEPS.rglob("*.yaml")), ids=lambda path: path.name)
def test_ready_made_sweeps_are_valid_on_two_cores_but_for_what_those_cannot_tell(path: Path) -> None:
    machine = replace(MACHINE, cpus=MORE_CORES.get(path.name, MACHINE.cpus))
    assert load(path, machine).name == path.stem


def test_a_sweep_as_resolved_is_the_same_sweep_when_read_again() -> None:
    sweep = read(
        "name: one\nlimits: {cpus: [0.5, 1], memory: 64MiB}\nload: {users: [1, 8]}\nrepeat: 2\norder: {seed: 9}\n"
        "workload: {sleep: [0, 5ms], spin: 300us, payload: 1KiB, connection: [persistent, {requests: 3}], think: 1s}\n"
        "exclude: [{model: spst, users: 8}, {connection: {requests: 3}, sleep: 5ms, cpus: 1}]\n"
    )
    assert read(dump(sweep)) == sweep
    relative = (
        "name: two\nload: {mode: relative, slo: {p99: 50ms}, at: [0.5, 0.9], arrivals: poisson}\nisolate: false\n"
    )
    assert read(dump(read(relative))) == read(relative)
    opened = (
        "name: two\nload: {mode: open, rate: [100, 200.5], idle_holders: [0, 50]}\nlimits: {limit: [quota, both]}\n"
    )
    assert read(dump(read(opened))) == read(opened)


def test_the_open_modes_allow_many_requests_in_flight_unless_told_otherwise() -> None:
    assert read("name: a\nload: {mode: open, rate: 100}\n").load.users == (64,)
    assert read("name: a\nload: {mode: open, rate: 100, users: 4}\n").load.users == (4,)
    assert read("name: a\n").load.users == (8,)
