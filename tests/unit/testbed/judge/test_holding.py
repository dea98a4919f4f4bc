"""Idle holders: what their server is given, and the gate that says whether they were held, or what ran out."""

from pathlib import Path
from typing import Any

import pytest

from testbed.judge import holding
from testbed.judge.verdict import judge
from testbed.plan import cells, trials
from testbed.plan.cell import Cell
from testbed.plan.sweepfile import Machine, load, parse
from testbed.plan.trials import Trial
from testbed.results.evidence import evidence
from testbed.results.findings import Findings, Seen
from testbed.stack import needs, server_services
from testbed.stack.cpus import CpuSets
from testbed.stack.run import Run
from tests.unit.testbed.judge.made import GOOD, replace

SETS = CpuSets(None, None, None, isolated=False, notes=())
RUN = Run("a", "threadmill-a", "1:1", 1, SETS)

HOLDING = replace(
    GOOD, idle_holders=1_000, holders_opened=1_000, holders_held=1_000, holders_dropped=0, holders_failures={}
)
LESS = replace(HOLDING, holders_opened=300, holders_held=290, memory_bytes=64 * 2**20, tasks_limit=4096, tasks_max=20)


def cell(**load_fields: Any) -> Cell:
    text = f"name: a\nmodels: spmt\nlimits: {{memory: 64MiB}}\nload: {load_fields}\n"
    return cells.cells(parse(text, Path("a.yaml"), Machine(2, 2**33)))[0]


def test_a_server_may_have_the_connections_and_tasks_that_its_trial_asks_for() -> None:
    few, many = cell(users=8), cell(users=8, idle_holders=10_000)
    assert needs.environment(few) == {"MAX_CONNECTIONS": "1024"}
    assert needs.tasks_limit(few) == 4096
    given = needs.environment(many)
    assert 10_008 < int(given["MAX_CONNECTIONS"]) < 20_000
    # Who is silent by profession must not be closed for it.
    assert int(given["IDLE_TIMEOUT"]) >= 3_600 + 600
    assert 10_008 < needs.tasks_limit(many) < 20_000


def test_the_server_of_a_trial_carries_them() -> None:
    trial = Trial("001", 1, cell(users=8, idle_holders=10_000))
    server = server_services.servers(RUN, trial)[0]
    assert int(server.environment["MAX_CONNECTIONS"]) > 10_008
    assert (server.limits.tasks or 0) > 10_008


def test_all_held_through_the_window_passes_and_without_holders_there_is_no_gate() -> None:
    gate = holding.held(HOLDING)
    assert gate is not None
    assert (gate.status, gate.found) == ("pass", "1000 of 1000 held")
    assert judge(HOLDING).kind == "server-bound"
    assert holding.held(GOOD) is None


def test_what_is_not_known_does_not_pass() -> None:
    for unknown in ({"holders_opened": None, "holders_held": None}, {"holders_held": None}):
        gate = holding.held(replace(HOLDING, **unknown))
        assert gate is not None
        assert gate.status == "unknown"


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"server_ended": "exit code 137, out of memory"}, "exit code 137, out of memory"),
        ({"oom_kills": 83}, "memory: 83 processes killed within 64MiB"),
        ({"server_said": "cannot accept: Too many open files"}, "descriptors: the server says: cannot accept"),
        (
            {"tasks_max": 4096, "server_said": "cannot serve a: can't start new thread"},
            "processes and threads: 4096 of at most 4096; the server says: cannot serve a",
        ),
        (
            {"memory_peak_bytes": 64 * 2**20, "server_said": "cannot serve a: can't start new thread"},
            "memory: all of its 64MiB were in use; the server says: cannot serve a",
        ),
        ({"server_said": "cannot serve a: can't start new thread"}, "processes and threads: the server says: cannot"),
        (
            {"holders_failures": {"refused": 30, "timeout": 2}, "holders_said": "server is full: 290 connections"},
            "admission: turned away by the server (30 times): server is full: 290 connections",
        ),
        ({"holders_failures": {"timeout": 3}}, "no reply (3 times)"),
        ({"holders_dropped": 10}, "connections ended by the server while they were held: 10"),
        ({}, "the cause is not known"),
    ],
)
def test_fewer_than_were_asked_for_make_the_trial_invalid_with_what_ran_out(
    changes: dict[str, Any], found: str
) -> None:
    verdict = judge(replace(LESS, **changes))
    assert verdict.kind == "invalid"
    assert "held" in verdict.failed
    reason = next(reason for reason in verdict.reasons if reason.startswith("held: "))
    assert reason.startswith("held: 290 of 1000 held: ")
    assert found in reason


@pytest.mark.parametrize(
    ("model", "serves"), [("spst", "1 connection"), ("thread-pool", "16 connections"), ("prefork", "2 connections")]
)
def test_a_model_that_serves_few_at_once_is_told_by_its_slots(model: str, serves: str) -> None:
    gate = holding.held(replace(LESS, model=model, holders_held=1))
    assert gate is not None
    assert (gate.status, gate.found) == ("fail", f"1 of 1000 held: {model} serves {serves} at once")


def test_holders_who_met_at_one_worker_are_told_by_its_queue() -> None:
    gate = holding.held(replace(LESS, model="prefork-reuseport", workers=9, idle_holders=4, holders_held=3))
    assert gate is not None
    words = "prefork-reuseport has a queue for each worker, where one waits for another"
    assert (gate.status, gate.found) == ("fail", f"3 of 4 held: {words}")
    all_held = holding.held(replace(LESS, model="prefork-reuseport", workers=9, idle_holders=4, holders_held=4))
    assert all_held is not None and all_held.status == "pass"


def test_all_slots_held_leave_none_for_a_user() -> None:
    gate = holding.held(replace(HOLDING, model="thread-pool", idle_holders=16, holders_held=16))
    assert gate is not None
    assert gate.status == "fail"


@pytest.mark.parametrize(
    "line",
    [
        "cannot serve 10.0.0.2:4711: can't start new thread; 290 connections are open",
        "cannot accept: Too many open files; 20000 connections are open",
        "event loop: socket.accept() out of system resource: [Errno 24] Too many open files",
    ],
)
def test_the_servers_own_words_are_found_in_its_log(line: str) -> None:
    log = f"[INFO] Server started on port 8081\n[INFO] {line}\n[INFO] {line} again\n[REPORT] {{}}\n"
    assert holding.said(log) == line
    assert holding.said("[INFO] Server started on port 8081\n") == ""


def test_what_holders_had_echoed_is_counted_and_what_they_never_heard_of_may_have_been() -> None:
    load_found = {
        "totals": {"sent": 10, "ok": 10, "failed": 0, "failures": {}, "in_flight": 0},
        "generator": [],
        "replies_to_checks": 1,
        "ok": 10,
        "window": {"duration_s": 1.0},
        "idle_holders": {"opened": 5, "held_throughout": 4, "echoes": 5, "unanswered": 2, "failures": {}, "dropped": 1},
    }
    holding = cell(idle_holders=5)
    for served, passes in ((20, False), (21, True), (23, True), (24, False)):
        seen = Seen.of(server_services.servers(RUN, Trial("001", 1, holding))[0])
        seen.report = {"served": served, "replaced": 0}
        found = Findings(load=load_found, boxes=[seen], other_echoes=5)
        gates = {gate.name: gate for gate in judge(evidence(holding, found, SETS, 2)).gates}
        assert (gates["conservation"].status == "pass") is passes, gates["conservation"]
        assert (gates["held"].status, gates["held"].found.split(":")[0]) == ("fail", "4 of 5 held")


def test_the_ready_made_sweep_asks_for_ten_thousand() -> None:
    sweep = load(Path(__file__).parents[4] / "sweeps" / "c10k.yaml", Machine(2, 2**33))
    assert sweep.load.idle_holders == (100, 1_000, 10_000)
    assert {trial.cell.memory_bytes for trial in trials.trials(sweep)} == {256 * 2**20}
