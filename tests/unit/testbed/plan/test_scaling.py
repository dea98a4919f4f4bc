"""What may change while the load is on: each value has one text, and what cannot be is refused at its place."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from testbed.errors import UserError
from testbed.plan import cells, fitting, scaling, scaling_values, sweepfile
from testbed.plan.fields import Machine
from testbed.plan.scaling import Forecast, Law, Planned, Step

MACHINE = Machine(cpus=4, memory_bytes=2**30)
OPEN = "name: t\nmodels: spmt\nfront: haproxy\nload: {mode: open, rate: 20}\nlimits: {cpus: 0.5}\nduration: 60s\n"
# The line at which what a test adds begins.
FIRST = OPEN.count("\n") + 1


def sweep(text: str, before: str = OPEN) -> sweepfile.Sweep:
    return sweepfile.parse(before + text, Path("t.yaml"), MACHINE)


def records(text: str) -> list[scaling.Scaling | None]:
    return [scaling_values.of_text(cell.scaling) for cell in cells.cells(sweep(text))]


def refused(text: str, before: str = OPEN) -> str:
    with pytest.raises(UserError) as error:
        sweep(text, before)
    return str(error.value)


def test_a_sweep_without_it_changes_nothing() -> None:
    assert records("") == [None]
    assert records("scaling: none\n") == [None]


def test_a_bare_on_is_a_key_and_not_true() -> None:
    """YAML 1.1 has it otherwise."""
    (law,) = records("scaling: {change: replicas, on: cpu, target: 0.6, max: 4}\n")
    assert law == Law("replicas", "cpu", 0.6, 1, 4, 2_000_000, 0.1, 0, 20_000_000, None)


@pytest.mark.parametrize(
    ("text", "record", "label"),
    [
        (
            "{change: cpus, steps: [{at: 10s, to: 1}, {at: 90s, to: 0.25}]}",
            Planned("cpus", (Step(10_000_000, 1.0), Step(90_000_000, 0.25))),
            "cpus 1.0 at 10s, 0.25 at 90s",
        ),
        (
            "{change: memory, steps: [{at: 1500ms, to: 0.25GiB}]}",
            Planned("memory", (Step(1_500_000, 2**28),)),
            "memory 256MiB at 1500ms",
        ),
        (
            "{change: replicas, steps: [{at: 0, to: 3}]}",
            Planned("replicas", (Step(0, 3),)),
            "replicas 3 at 0s",
        ),
        (
            "{change: replicas, on: cpu, target: 0.6, min: 1, max: 4, every: 2s, down_after: 20s}",
            Law("replicas", "cpu", 0.6, 1, 4),
            "cpu 0.6, 1 to 4",
        ),
        (
            "{change: cpus, on: latency, target: 20ms, max: 1.5, min: 0.25, tolerance: 0, up_after: 3s, every: 15s}",
            Law("cpus", "latency", 20_000.0, 0.25, 1.5, 15_000_000, 0.0, 3_000_000),
            "latency 20ms, 0.25 to 1.5 CPU, every 15s, tolerance 0, up after 3s",
        ),
        (
            "{change: replicas, on: queue, target: 4, max: 2, forecast: holt-winters, season: 20s, ahead: 8s}",
            Law("replicas", "queue", 4.0, 1, 2, forecast=Forecast("holt-winters", 8_000_000, 20_000_000)),
            "queue 4, 1 to 2, holt-winters of 20s, 8s ahead",
        ),
        (
            "{change: replicas, on: errors, target: 0.01, max: 2, forecast: linear, ahead: 8s}",
            Law("replicas", "errors", 0.01, 1, 2, forecast=Forecast("linear", 8_000_000)),
            "errors 0.01, 1 to 2, linear, 8s ahead",
        ),
    ],
)
def test_a_value_is_read_has_one_text_and_a_label(text: str, record: scaling.Scaling, label: str) -> None:
    asked = sweep(f"scaling: {text}\n", OPEN.replace("60s", "60m"))
    assert [scaling_values.of_text(cell.scaling) for cell in cells.cells(asked)] == [record]
    assert [cell.scaling for cell in cells.cells(asked)] == [scaling.text(record)]
    assert sweepfile.parse(sweepfile.dump(asked), Path("t.yaml"), MACHINE) == asked
    assert scaling_values.label(scaling.text(record)) == label


amounts = {"cpus": st.floats(0.05, 4), "replicas": st.integers(1, 16), "memory": st.integers(2**24, 2**30)}


@given(st.data(), st.sampled_from(["cpus", "replicas"]))
def test_any_law_is_read_again_from_its_text(data: st.DataObject, change: str) -> None:
    low, high = sorted([data.draw(amounts[change]), data.draw(amounts[change])])
    on = data.draw(st.sampled_from(scaling.READABLE[change]))
    target = data.draw(st.floats(0.0001, 1) if on in scaling.SHARES else st.integers(1, 10**6).map(float))
    us = st.integers(0, 3_600_000_000)
    law = Law(change, on, target, low, high, data.draw(st.integers(500_000, 10**9)), 0.1, data.draw(us), data.draw(us))  # type: ignore[arg-type]
    assert scaling_values.of_text(scaling.text(law)) == law


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("5", "scaling: found 5, allowed: `none`, "),
        ("{change: cpu, steps: []}", "scaling.change: found 'cpu', allowed: cpus, memory, replicas"),
        ("{change: cpus, steps: []}", "scaling.steps: found an empty list, allowed: a list of at least one step"),
        ("{change: cpus, steps: [{at: 10s, to: 9}]}", "scaling.steps.to: found 9, allowed: a number from 0.05 to 4"),
        ("{change: cpus, steps: [{at: 10, to: 1}]}", "scaling.steps.at: found 10, allowed: a duration from 0 to 60m"),
        (
            "{change: cpus, steps: [{at: 10s, to: 1}, {at: 10s, to: 2}]}",
            "scaling.steps.at: found '10s', allowed: later than the step before, at 10s",
        ),
        ("{change: cpus, steps: [{at: 60s, to: 1}]}", "scaling: found {'change': 'cpus', 'steps': "),
        (
            "{change: cpus, steps: [{at: 1s, for: 1}]}",
            "scaling.steps.for: found 1, allowed: one of the keys at, to here",
        ),
        (
            "{change: memory, steps: [{at: 1s, to: 512MiB}, {at: 2s, to: 256MiB}]}",
            "scaling.steps.to: found '256MiB', allowed: more than 512MiB, which the step before gives",
        ),
        (
            "{change: memory, steps: [{at: 1s, to: 64MiB}]}",
            "scaling: found a step to 64MiB, allowed: more than limits.memory, 128MiB",
        ),
        (
            "{change: memory, on: memory, target: 0.5, max: 2}",
            "scaling.change: found 'memory', allowed: replicas or cpus (memory: by steps alone)",
        ),
        (
            "{change: cpus, on: memory, target: 0.5, max: 2}",
            "scaling.on: found 'memory', allowed: cpu, queue, errors, latency with change cpus",
        ),
        ("{change: replicas, on: load, target: 1, max: 2}", "scaling.on: found 'load', allowed: cpu, memory, queue"),
        ("{change: replicas, on: cpu, max: 2}", "scaling: found {'change': 'replicas', 'on': 'cpu', 'max': 2}"),
        ("{change: replicas, on: cpu, target: 60, max: 2}", "scaling.target: found 60, allowed: a share of 1"),
        ("{change: replicas, on: latency, target: 0.5, max: 2}", "scaling.target: found 0.5, allowed: a duration"),
        (
            "{change: replicas, on: cpu, target: 0.6, min: 3, max: 2}",
            "scaling.min: found 3, allowed: at most max, which",
        ),
        (
            "{change: replicas, on: cpu, target: 0.6, max: 1.5}",
            "scaling.max: found 1.5, allowed: a whole number from 1",
        ),
        ("{change: replicas, on: cpu, target: 0.6, max: 20}", "scaling.max: found 20, allowed: a whole number"),
        (
            "{change: replicas, on: cpu, target: 0.6, max: 2, every: 400ms}",
            "scaling.every: found '400ms', allowed: a duration from 500ms",
        ),
        ("{change: replicas, on: cpu, target: 0.6, max: 2, every: 60s}", "scaling: found {"),
        (
            "{change: replicas, on: cpu, target: 0.6, max: 2, forecast: holt-winters, ahead: 8s}",
            "scaling: found {'change'",
        ),
        (
            "{change: replicas, on: cpu, target: 0.6, max: 2, forecast: holt-winters, ahead: 8s, season: 5s}",
            "scaling.season: found '5s', allowed: a multiple of every, which is 2s",
        ),
        (
            "{change: replicas, on: cpu, target: 0.6, max: 2, forecast: linear, ahead: 8s, season: 6s}",
            "scaling.season: found '6s', allowed: nothing with forecast linear",
        ),
        ("{change: replicas, on: cpu, target: 0.6, max: 2, ahead: 8s}", "scaling.ahead: found '8s', allowed: nothing"),
        (
            "{change: replicas, on: cpu, target: 0.6, max: 4, min: 2}",
            "scaling: found 1 replicas at first, allowed: from",
        ),
        (
            "{change: cpus, on: cpu, target: 0.6, max: 0.25}",
            "scaling: found 0.5 CPUs of each replica at first, allowed",
        ),
        ("{change: replicas, on: cpu, target: 0.6, max: 8}", "replicas.count: found 0.5 for each of 8 and 0.5 for the"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line_at_its_place(text: str, said: str) -> None:
    found = refused(f"scaling: {text}\n")
    assert found.count("\n") == 0
    place = 1 if said.startswith("replicas.count") else FIRST
    assert found.startswith(f"t.yaml:{place}: {said}"), found


@pytest.mark.parametrize(
    ("text", "allowed"),
    [
        ("{change: cpus, steps: [{at: 60s, to: 1}]}", "steps within the duration, 60s"),
        ("{change: replicas, on: cpu, target: 0.6, max: 2, every: 60s}", "every of less than the duration, 60s"),
        (
            "{change: replicas, on: cpu, target: 0.6, max: 2, forecast: holt-winters, season: 30s, ahead: 8s}",
            "a season of less than half the duration, 60s",
        ),
        ("{change: replicas, on: cpu, max: 2}", "target as well: a share of 1"),
        ("{change: replicas, on: cpu, target: 0.6, max: 2, forecast: holt-winters, ahead: 8s}", "season as well: the"),
    ],
)
def test_what_is_allowed_is_said(text: str, allowed: str) -> None:
    assert f"allowed: {allowed}" in refused(f"scaling: {text}\n")


def test_the_line_of_a_nested_value_is_its_own() -> None:
    steps = "    steps:\n      - at: 1s\n        to: 1\n      - at: 2s\n        to: 7\n"
    text = f"scaling:\n  - none\n  - change: cpus\n{steps}"
    assert refused(text).startswith(f"t.yaml:{FIRST + 7}: scaling.steps.to: found 7, allowed: ")
    alone = "scaling:\n  change: replicas\n  on: cpus\n"
    assert refused(alone).startswith(f"t.yaml:{FIRST + 2}: scaling.on: found 'cpus', allowed: ")


@pytest.mark.parametrize("load", ["{mode: closed}", "{mode: capacity, slo: {p99: 5ms}}"])
def test_only_an_open_loop_goes_on_asking(load: str) -> None:
    before = OPEN.replace("{mode: open, rate: 20}", load)
    said = refused("scaling: [none, {change: cpus, steps: [{at: 1s, to: 1}]}]\n", before)
    assert "allowed: none with mode " in said
    assert sweep("scaling: none\n", before).scaling == ("none",)


@pytest.mark.parametrize("front", ["none", "nginx"])
def test_replicas_need_a_front_that_hears_of_new_ones(front: str) -> None:
    law = "scaling: {change: replicas, on: cpu, target: 0.6, max: 2}\n"
    assert "allowed: front haproxy or dns" in refused(law, OPEN.replace("haproxy", front))
    assert sweep(law, OPEN.replace("haproxy", "dns"))


@pytest.mark.parametrize("limit", ["cpuset", "both"])
def test_cpus_change_as_a_quota_alone(limit: str) -> None:
    before = OPEN.replace("{cpus: 0.5}", f"{{cpus: 1, limit: {limit}}}")
    assert "allowed: limit quota" in refused("scaling: {change: cpus, steps: [{at: 1s, to: 2}]}\n", before)


def test_a_combination_that_cannot_be_can_be_left_out() -> None:
    text = (
        "scaling: [none, {change: replicas, on: cpu, target: 0.6, max: 2}]\n"
        "exclude: [{front: none, scaling: {change: replicas, on: cpu, target: 0.6, max: 2}}]\n"
    )
    asked = sweep(text, OPEN.replace("front: haproxy", "front: [none, haproxy]"))
    assert fitting.misfit(asked, MACHINE) == ("", "")
    assert [(one.front, one.most_replicas) for one in cells.cells(asked)] == [
        ("none", 1),
        ("haproxy", 1),
        ("haproxy", 2),
    ]


def test_what_there_is_at_most_is_what_must_fit() -> None:
    (cell,) = cells.cells(sweep("scaling: {change: cpus, steps: [{at: 1s, to: 2}, {at: 2s, to: 0.1}]}\n"))
    assert (cell.most_cpus_of_each, cell.most_replicas, fitting.cpus_of_all(cell)) == (2, 1, 2.5)
    (cell,) = cells.cells(sweep("scaling: {change: replicas, steps: [{at: 1s, to: 3}, {at: 2s, to: 1}]}\n"))
    assert (cell.most_cpus_of_each, cell.most_replicas, fitting.cpus_of_all(cell)) == (0.5, 3, 2.0)
    (cell,) = cells.cells(sweep("scaling: {change: memory, steps: [{at: 1s, to: 512MiB}]}\n"))
    assert cell.most_memory_of_each == 2**29
    said = refused("scaling: {change: memory, steps: [{at: 1s, to: 900MiB}]}\n")
    assert "found 900MiB for each of 1, 1.13GiB in all" in said
