"""What a probe tells becomes figures that say their unit or stay a dash, of each container by itself."""

from typing import Any

from loadtests.master.figures import Shown, table
from loadtests.master.samples import Told


def line(unix: float = 100.0, **values: Any) -> dict[str, Any]:
    return {"schema_version": 2, "model": "spmt", "unix": unix, **values}


def shown(*lines: dict[str, Any]) -> dict[str, str]:
    alone = Shown("spmt", Told("a", 0.4, list(lines)), "")
    return {row["what"]: row["now"] for row in table([alone])}


def test_counters_become_rates_over_the_time_between_two_lines() -> None:
    rows = shown(
        line(100.0),
        line(
            102.0,
            cpu_used_us_since_last=1_000_000,
            periods_since_last=20,
            throttled_periods_since_last=5,
            listen_overflows_since_last=4,
            memory_now_bytes=32 * 2**20,
            threads=9,
            limits={"cpus": 0.5, "memory_bytes": 128 * 2**20},
        ),
    )
    assert rows["CPU"] == "0.50 of 0.5"
    assert rows["throttled"] == "25%"
    assert rows["overflows"] == "2 /s"
    assert rows["memory"] == "32.0 MiB of 128"
    assert rows["threads"] == "9"
    assert rows["processes"] == "-"


def test_what_is_not_in_every_line_is_shown_as_last_read_and_its_rate_is_over_the_time_between_readings() -> None:
    rows = shown(
        line(100.0, threads=4, accept_queue=3),
        line(101.0),
        line(103.0, threads=9, voluntary_switches_since_last=300, listen_overflows_since_last=4),
        line(104.0, listen_overflows_since_last=2),
    )
    assert (rows["threads"], rows["accept queue"]) == ("9", "3")
    assert rows["voluntary switches"] == "100 /s"
    assert rows["overflows"] == "2 /s"


def test_switches_that_the_probe_does_not_know_are_said_to_be_not_known() -> None:
    rows = shown(line(100.0, threads=4, voluntary_switches_since_last=9), line(101.0, threads=9))
    assert (rows["voluntary switches"], rows["involuntary switches"]) == ("not known", "not known")


def test_what_is_not_known_is_a_dash_and_never_a_zero() -> None:
    rows = shown(line(100.0))
    assert set(rows) >= {"CPU", "throttled", "memory", "PSS", "overflows"}
    assert {value for what, value in rows.items() if what != "spmt"} == {"-"}


def test_without_a_probe_the_table_says_how_to_start_one() -> None:
    (row,) = table([Shown("spmt", None, "docker compose up -d probe-spmt")])
    assert row["meaning"] == "no probe tells of it; to start one: docker compose up -d probe-spmt"


def busy(name: str, cores: float) -> Shown:
    lines = [line(100.0), line(101.0, cpu_used_us_since_last=round(cores * 1e6), threads=3)]
    return Shown(name, Told(name, 0.0, lines), "")


def test_of_several_each_has_figures_of_its_own_and_only_their_cpu_is_put_together() -> None:
    rows = table([busy("haproxy", 0.25), busy("spmt-1", 0.5), busy("spmt-2", 0.125)])
    assert (rows[0]["what"], rows[0]["now"]) == ("3 containers", "0.88 cores used")
    heads = [place for place, row in enumerate(rows) if row["what"] in ("haproxy", "spmt-1", "spmt-2")]
    assert [rows[place + 1]["now"] for place in heads] == ["0.25", "0.50", "0.12"]
    assert [row["what"] for row in rows].count("threads") == 3


def test_with_one_of_several_unknown_what_all_use_is_unknown_and_the_one_is_named() -> None:
    rows = table([busy("spmt-1", 0.5), Shown("spmt-2", None, "BACKEND=spmt docker compose up -d --no-deps probe-2")])
    assert rows[0]["now"] == "cores used: not known"
    assert rows[0]["meaning"].endswith(", 1 without a probe")
    assert rows[-1]["what"] == "spmt-2"
    assert rows[-1]["meaning"].endswith("to start one: BACKEND=spmt docker compose up -d --no-deps probe-2")
