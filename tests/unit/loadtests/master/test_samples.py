"""A probe's lines are kept by model, and become figures that say their unit or stay a dash."""

from typing import Any

import pytest

from loadtests.master.samples import FRESH_S, MOST_LINES, BadSampleError, Samples, table


def line(unix: float = 100.0, **values: Any) -> dict[str, Any]:
    return {"schema_version": 2, "model": "spmt", "unix": unix, **values}


class Time:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        (None, "a JSON object with schema_version 2"),
        ([1], "a JSON object with schema_version 2"),
        ({"model": "spmt"}, "a JSON object with schema_version 2"),
        ({"schema_version": 2, "model": "mpst"}, "model: one of spmt, spst, not 'mpst'"),
    ],
)
def test_what_is_no_sample_of_a_known_model_is_refused(sample: Any, message: str) -> None:
    with pytest.raises(BadSampleError, match=message):
        Samples(["spmt", "spst"]).add(sample)


def test_an_old_line_is_no_live_figure_but_stays_on_record() -> None:
    clock = Time()
    samples = Samples(["spmt"], clock)
    samples.add(line())
    assert samples.latest("spmt") == (0.0, line())
    clock.now += FRESH_S + 0.1
    assert samples.latest("spmt") is None
    assert samples.between("spmt", 999.0, 1001.0) == [line()]
    assert samples.between("spmt", 1001.0, 1002.0) == []
    assert samples.latest("spst") is None


def test_the_oldest_lines_go_first() -> None:
    samples = Samples(["spmt"])
    for number in range(MOST_LINES + 1):
        samples.add(line(float(number)))
    assert samples.recent("spmt", 2) == [line(MOST_LINES - 1.0), line(float(MOST_LINES))]
    assert len(samples.between("spmt", 0, 1e12)) == MOST_LINES


def shown(*lines: dict[str, Any]) -> dict[str, str]:
    return {row["what"]: row["now"] for row in table("spmt", (0.4, lines[-1]), list(lines))}


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
    (row,) = table("spmt", None, [])
    assert row["meaning"] == "no probe tells of it; to start one: docker compose up -d probe-spmt"
