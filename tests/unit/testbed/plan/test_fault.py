"""What goes wrong on purpose: each value has one text, and what cannot be is refused at its place."""

from pathlib import Path

import pytest

from testbed.errors import UserError
from testbed.plan import cells, fault, fault_values, sweepfile
from testbed.plan.fault import Fault
from testbed.plan.fields import Machine
from testbed.stack import needs

MACHINE = Machine(cpus=4, memory_bytes=2**31)
OPEN = "name: t\nmodels: spmt\nload: {mode: open, rate: 20}\nlimits: {cpus: 0.5}\nduration: 10s\n"
FIRST = OPEN.count("\n") + 1


def sweep(text: str, before: str = OPEN, machine: Machine = MACHINE) -> sweepfile.Sweep:
    return sweepfile.parse(before + text, Path("t.yaml"), machine)


def faults(text: str) -> list[Fault | None]:
    return [cell.what_fails for cell in cells.cells(sweep(text))]


def refused(text: str, before: str = OPEN, machine: Machine = MACHINE) -> str:
    with pytest.raises(UserError) as error:
        sweep(text, before, machine)
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "record", "label"),
    [
        ("none", None, "none"),
        (
            "{is: stopped, at: 3s, for: 4s}",
            Fault("stopped", 3_000_000, for_us=4_000_000),
            "replica 1 stopped at 3s for 4s",
        ),
        ("{is: crashed, at: 500ms}", Fault("crashed", 500_000), "replica 1 crashed (segv) at 500ms"),
        (
            "{is: crashed, at: 0, how: raise, every: 100ms, for: 5s}",
            Fault("crashed", 0, for_us=5_000_000, how="raise", every_us=100_000),
            "replica 1 crashed (raise) at 0s every 100ms for 5s",
        ),
    ],
)
def test_a_value_is_read_has_one_text_and_a_label(text: str, record: Fault | None, label: str) -> None:
    asked = sweep(f"fault: {text}\n")
    assert faults(f"fault: {text}\n") == [record]
    assert [cell.fault for cell in cells.cells(asked)] == [fault.text(record)]
    assert sweepfile.parse(sweepfile.dump(asked), Path("t.yaml"), MACHINE) == asked
    assert fault_values.label(fault.text(record)) == label


def test_lists_inside_a_value_cross() -> None:
    found = faults("fault: [none, {is: crashed, at: [1s, 2s], how: [segv, exit]}]\n")
    assert [one and (one.at_us, one.how) for one in found] == [
        None,
        *((at_us, how) for at_us in (1_000_000, 2_000_000) for how in ("segv", "exit")),
    ]


def test_a_sidecar_fails_or_is_slow_for_a_share_of_requests() -> None:
    beside = "sidecar: envoy\nworkload: {protocol: http}\n"
    found = faults(f"{beside}fault: [{{is: failing, at: 1s, share: 0.5}}, {{is: slow, at: 1s, by: 20ms}}]\n")
    assert found == [Fault("failing", 1_000_000, share=0.5), Fault("slow", 1_000_000, by_us=20_000)]
    assert "without a sidecar, allowed: sidecar envoy" in refused("fault: {is: failing, at: 1s}\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("5", "fault: found 5, allowed: `none`, "),
        ("{is: broken, at: 1s}", "fault.is: found 'broken', allowed: stopped, failing, slow, crashed"),
        ("{is: stopped}", "allowed: at as well: a duration from 0 to 60m"),
        ("{is: stopped, at: 1s, how: segv}", "fault.how: found 'segv', allowed: nothing with is stopped, which has "),
        ("{is: stopped, at: 1s, until: 2s}", "fault.until: "),
        ("{is: crashed, at: 1s, how: lie}", "fault.how: found 'lie', allowed: segv, exit, raise, oom"),
        ("{is: crashed, at: 1s, for: 2s}", "fault.for: found '2s', allowed: nothing without every"),
        ("{is: crashed, at: 1s, every: 10ms}", "fault.every: found '10ms', allowed: a duration from 100ms to 60m"),
        ("{is: failing, at: 1s, share: 0.001}", "fault.share: found 0.001, allowed: a share of the requests in whole"),
        ("{is: failing, at: 1s, share: 0.055}", "fault.share: found 0.055, allowed: a share of the requests in whole"),
        ("{is: stopped, at: 10s}", "allowed: within the duration, 10s"),
        ("{is: stopped, at: 3s, for: 8s}", "allowed: within the duration, 10s"),
        ("{is: stopped, at: 3s, replica: 2}", "with 1 replicas, allowed: replica 1 to 1"),
        ("{is: stopped, at: 3s, replica: 0}", "fault.replica: found 0, allowed: a number from 1 to 16"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_at_its_place(text: str, said: str) -> None:
    (line,) = refused(f"fault: {text}\n").splitlines()
    assert line.startswith(f"t.yaml:{FIRST}: fault")
    assert said in line


def test_only_an_open_loop_without_scaling_on_one_engine_can_have_one() -> None:
    stopped = "fault: {is: stopped, at: 1s}\n"
    assert "none with mode closed: only an open loop" in refused(stopped, OPEN.replace("{mode: open, rate: 20}", "{}"))
    scaled = "front: haproxy\nscaling: {change: cpus, steps: [{at: 1s, to: 1}]}\n"
    assert "and scaling, allowed: scaling none" in refused(scaled + stopped)
    swarm = Machine(4, 2**31, ("overlay",))
    assert "allowed: none on a Swarm" in refused(f"network: overlay\n{stopped}", machine=swarm)


def test_a_server_commits_faults_where_it_is_to_be_asked_for_one_and_nowhere_else() -> None:
    asked = [
        needs.environment(cell) for cell in cells.cells(sweep("fault: [none, {is: [stopped, crashed], at: 1s}]\n"))
    ]
    assert [told.get("ALLOW_FAULTS") for told in asked] == [None, None, "1"]
