"""One look as text: every figure with its limit, in the width and height there is, with and without colour."""

import io
import json

import pytest
from rich.console import Console

from testbed.watch.load import Load
from testbed.watch.view import LEAST_HEIGHT, LEAST_WIDTH, Look, View, number
from tests.unit.testbed.watch.made import line, process, target, thread, tree

LOAD = Load("running", "web-20260101T000000Z-spmt", "spmt", True, 20, 1234.4, 0.0)


def text(look: Look, width: int = 80, height: int | None = None, plain: bool = False) -> str:
    return "\n".join(one.plain for one in View(plain).lines(look, width, height))


def test_every_figure_is_there_with_its_limit_and_its_rate() -> None:
    words = text(Look(target(), line(), LOAD, 61.0))
    for expected in (
        "spmt  0.5 CPUs, 128MiB",
        "up 1:01",
        "0.50 of 0.5 CPUs",
        "100%  user 0.10, sys 0.40",
        "7 of 10 periods",
        "268 ms/s",
        "32MiB of 128MiB",
        "peak 40MiB",
        "512 of 1,024 waiting",
        "5 overflows, 3/s",
        "20 established",
        "28,624/s voluntary, 2,345/s involuntary",
        "1,234 requests/s from 20 users",
    ):
        assert expected in words, expected


def test_what_is_not_known_is_a_dash_and_not_nothing() -> None:
    unknown = line(
        seconds=None,
        cpus=None,
        memory_now_bytes=None,
        accept_queue=None,
        accept_queue_limit=None,
        since_last=dict.fromkeys(line()["since_last"]),
    )
    words = text(Look(target(cpus=None, memory_bytes=None), unknown, None, 1.0))
    assert "no CPU limit, no memory limit" in words
    assert "CPU           -" in words
    assert "memory        -" in words
    assert "not known (no Locust beside it)" in words
    assert number(None) == "-" and number(0.0) == "0" and number(0.04) == "0.0" and number(1e6) == "1,000,000"


@pytest.mark.parametrize(
    ("load", "expected"),
    [
        (Load("stopped", "web-20260101T000000Z-spmt", "spmt", True, 0, 0.0, 0.0), "none"),
        (
            Load("running", "web-20260101T000000Z-spst", "spst", True, 8, 9.0, 0.0),
            "none here (web-20260101T000000Z-spst is on",
        ),
        (
            Load("running", "007-b1-spmt-1cpu", "spmt-shared", False, 8, 900.0, 2.0),
            "900 requests/s from 8 users, 2/s",
        ),
        (Load("spawning", "web-20260101T000000Z-spmt", "spmt", True, 8, None, None), "8 users"),
    ],
)
def test_the_load_is_told_where_it_is_on_this_server(load: Load, expected: str) -> None:
    assert f"load          {expected}" in text(Look(target(), line(), load, 1.0))


def test_a_kill_for_memory_shows() -> None:
    assert "2 OOM kills" in text(Look(target(), line(oom_kills=2), None, 1.0))


@pytest.mark.parametrize("width", [LEAST_WIDTH, 80, 200])
@pytest.mark.parametrize("height", [LEAST_HEIGHT, 24, 60, None])
def test_it_fits_the_terminal(width: int, height: int | None) -> None:
    made = tree(process(1), *(process(pid, threads=(thread(pid), thread(pid + 100))) for pid in range(2, 30)))
    lines = View().lines(Look(target(model="mpmt"), line(made), LOAD, 1.0), width, height)
    assert max(len(one) for one in lines) <= width
    assert height is None or len(lines) <= height


def test_a_terminal_too_small_says_so() -> None:
    assert (
        text(Look(target(), line(), None, 1.0), 40) == f"40 x any: too small, {LEAST_WIDTH} x {LEAST_HEIGHT} is needed"
    )
    assert "too small" in text(Look(target(), line(), None, 1.0), 80, 5)


def test_without_utf8_everything_is_ascii() -> None:
    made = tree(process(1), process(2), process(3, threads=(thread(3), thread(4))))
    assert text(Look(target(model="mpmt"), line(made), LOAD, 1.0), 80, plain=True).isascii()
    assert not text(Look(target(model="mpmt"), line(made), LOAD, 1.0), 80).isascii()


def test_a_wide_terminal_has_charts_of_what_was_seen_before() -> None:
    view = View()
    for cpus in (0.1, 0.5):
        found = view.lines(Look(target(), line(cpus=cpus), None, 1.0), 120, None)
    (row,) = (one.plain for one in found if one.plain.startswith("CPU"))
    assert row.endswith("▂█") and len(row) == 120


def test_colours_are_left_out_where_nobody_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def printed() -> str:
        out = io.StringIO()
        console = Console(file=out, width=80, force_terminal=True, color_system="truecolor")
        console.print(*View().lines(Look(target(), line(), LOAD, 1.0), 80, None), sep="\n")
        return out.getvalue()

    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[32m" in printed() or "\x1b[31m" in printed()
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[3" not in printed()


def test_as_json_it_is_one_object_with_everything() -> None:
    look = Look(target(run_id="demo", trial_id="001"), line(), LOAD, 61.04)
    found = json.loads(json.dumps(look.as_json()))
    assert (found["model"], found["container"], found["run_id"], found["trial_id"], found["uptime_s"]) == (
        "spmt",
        "threadmill-spmt-1",
        "demo",
        "001",
        61.0,
    )
    assert found["load"]["requests_per_s"] == 1234.4
    assert found["tree"]["processes"][0]["pid"] == 1


def test_switches_that_are_not_known_of_all_tasks_are_said_to_be_so() -> None:
    found = line()
    found["tree"] |= {"voluntary_per_s": None, "involuntary_per_s": None}
    shown = [each.plain for each in View().lines(Look(target(), found, None, 1.0), 100, None)]
    assert [each.split(None, 1)[1].strip() for each in shown if each.startswith("switches")] == ["not known"]
