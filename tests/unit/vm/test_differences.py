"""What is written down of two machines: only what differs, and whether it is known, not how fast they are."""

import csv
import json
from pathlib import Path
from typing import Any

from tests.vm.differences import differences, known, of_a_trial

ROW = {"trial_id": "001-b1-spst-1cpu", "verdict": "server-bound", "throughput_rps": "100", "oom_kills": "0"}
GATES = {"completed": "pass", "disturbed": "unknown"}


def write(out: Path, step: str, failed: str | None = None, **facts: Any) -> None:
    out.mkdir(exist_ok=True)
    record = {"step": step, "what": "", "failed": failed, "seconds": 1.5, "facts": facts}
    (out / f"{step}.json").write_text(json.dumps(record))


def measured(out: Path, time: str, row: dict[str, str], gates: dict[str, str]) -> None:
    directory = out / "results" / f"demo-{time}"
    trial = directory / "trials" / row["trial_id"]
    trial.mkdir(parents=True)
    (trial / "trial.json").write_text(
        json.dumps({"gates": [{"name": name, "status": status} for name, status in gates.items()]})
    )
    with (directory / "trials.csv").open("w") as file:
        writer = csv.DictWriter(file, list(row))
        writer.writeheader()
        writer.writerow(row)


def test_zero_is_known_and_empty_is_not() -> None:
    assert known({"oom_kills": "0", "p99": "", "verdict": "invalid", "lag": None}) == {"oom_kills", "verdict"}


def test_two_trials_that_know_the_same_do_not_differ_however_fast_they_were() -> None:
    assert of_a_trial((ROW, GATES), (ROW | {"throughput_rps": "9"}, GATES)) == []


def test_what_only_one_knows_and_how_each_was_judged_is_a_line_each() -> None:
    other = ROW | {"oom_kills": "", "psi": "3", "verdict": "invalid"}
    assert of_a_trial((ROW, GATES), (other, {"completed": "fail", "held": "pass"}), ("v1", "v2")) == [
        "known oom_kills only v1",
        "known psi only v2",
        "verdict: server-bound v1, invalid v2",
        "gate completed: pass v1, fail v2",
        "gate disturbed: unknown v1, not known v2",
        "gate held: not known v1, pass v2",
    ]


def test_the_page_has_machines_steps_and_the_trials_that_differ(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    write(here, "machine", CgroupVersion="1", SecurityOptions=["name=seccomp"])
    write(there, "machine", CgroupVersion="2", SecurityOptions=["name=apparmor", "name=seccomp"])
    write(here, "demo")
    write(there, "demo", failed="AssertionError: a | b\nc")
    write(there, "overlay")
    measured(here, "20260101T000000Z", ROW, GATES)
    measured(there, "20260102T000000Z", ROW | {"oom_kills": ""}, GATES)
    page = differences(here, there, ("v1", "v2"))
    for line in (
        "| CgroupVersion | 1 | 2 |",
        "| SecurityOptions | name=seccomp | name=apparmor name=seccomp |",
        "| demo | as it should, 1.5 s | failed: AssertionError: a \\| b c |",
        "| overlay | not tried | as it should, 1.5 s |",
        "- demo 001-b1-spst-1cpu:",
        "  - known oom_kills only v1",
    ):
        assert line in page.splitlines(), page


def test_a_trial_of_one_machine_alone_is_said_to_be_so(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    write(here, "machine")
    write(there, "machine")
    measured(here, "20260101T000000Z", ROW, GATES)
    assert "- demo 001-b1-spst-1cpu: only here" in differences(here, there).splitlines()
