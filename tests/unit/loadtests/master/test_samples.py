"""A probe's lines are kept by container: those of several are never one series."""

from typing import Any

import pytest

from loadtests.master.samples import FRESH_S, MOST_LINES, MOST_PROBES, BadSampleError, Samples


def line(unix: float = 100.0, **values: Any) -> dict[str, Any]:
    return {"schema_version": 2, "model": "spmt", "host": "a", "unix": unix, **values}


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
        ({"schema_version": 2, "model": "spmt", "host": 7}, "host: a name of at most 64 characters, not '7'"),
        ({"schema_version": 2, "model": "spmt", "host": "x" * 65}, "host: a name of at most 64 characters"),
    ],
)
def test_what_is_no_sample_of_a_known_model_is_refused(sample: Any, message: str) -> None:
    with pytest.raises(BadSampleError, match=message):
        Samples(["spmt", "spst"]).add(sample, "10.0.0.9")


def test_an_old_line_is_no_live_figure_but_stays_on_record() -> None:
    clock = Time()
    samples = Samples(["spmt"], clock)
    samples.add(line(), "10.0.0.9")
    (told,) = samples.fresh("spmt")
    assert (told.host, told.age_s, told.lines) == ("a", 0.0, [line()])
    clock.now += FRESH_S + 0.1
    assert samples.fresh("spmt") == []
    assert samples.between("spmt", 999.0, 1001.0) == [line()]
    assert samples.between("spmt", 1001.0, 1002.0) == []
    assert samples.fresh("spst") == []


def test_the_oldest_lines_go_first() -> None:
    samples = Samples(["spmt"])
    for number in range(MOST_LINES + 1):
        samples.add(line(float(number)), "10.0.0.9")
    (told,) = samples.fresh("spmt")
    assert told.lines[-2:] == [line(MOST_LINES - 1.0), line(float(MOST_LINES))]
    assert len(samples.between("spmt", 0, 1e12)) == MOST_LINES


def test_lines_of_several_containers_are_told_apart() -> None:
    clock = Time()
    samples = Samples(["spmt"], clock)
    for number in range(3):
        for host in "ba":
            clock.now += 0.1
            samples.add(line(float(number), host=host), f"10.0.0.{host}")
    assert [(told.host, [one["unix"] for one in told.lines]) for told in samples.fresh("spmt")] == [
        ("a", [0.0, 1.0, 2.0]),
        ("b", [0.0, 1.0, 2.0]),
    ]
    assert [one["host"] for one in samples.between("spmt", 0, 1e12)] == ["b", "a"] * 3


def test_of_two_probes_beside_one_container_one_is_heard() -> None:
    samples = Samples(["spmt"])
    for number in range(4):
        for sender in ("first", "second")[: 1 + number // 2]:
            samples.add(line(float(number), sender=sender), sender)
    (told,) = samples.fresh("spmt")
    assert [one["sender"] for one in told.lines] == ["first"] * 4
    assert [one["sender"] for one in samples.between("spmt", 0, 1e12)] == ["first"] * 4


def test_probes_that_cannot_say_beside_which_container_they_are_stay_apart_by_where_they_are() -> None:
    samples = Samples(["spmt"])
    for sender in ("10.0.0.8", "10.0.0.9"):
        samples.add({"schema_version": 2, "model": "spmt", "unix": 1.0}, sender)
    assert [told.host for told in samples.fresh("spmt")] == ["10.0.0.8", "10.0.0.9"]
    assert [one["host"] for one in samples.between("spmt", 0, 1e12)] == ["10.0.0.8", "10.0.0.9"]


def test_probes_that_come_and_go_do_not_fill_the_memory() -> None:
    samples = Samples(["spmt"])
    samples.add(line(host="stays"), "s")
    for number in range(MOST_PROBES):
        samples.add(line(host="stays"), "s")
        samples.add(line(host=f"h{number}"), f"s{number}")
    hosts = {told.host for told in samples.fresh("spmt")}
    assert len(hosts) == MOST_PROBES
    assert "stays" in hosts
    assert "h0" not in hosts
