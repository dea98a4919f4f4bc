import json
from pathlib import Path

import pytest

from loadtests import options, results
from loadtests.client import FAILURES
from loadtests.histogram import Histogram
from loadtests.recorder import Recorder


def histogram_of(values):
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    return histogram


def final(completions, users=1, closes_at=2.0, end=3.0, started_at=-1.0):
    """A worker's report: completions as (time, latency in microseconds)."""
    recorder = Recorder(started_at, 0.0, closes_at)
    clocks = [recorder.join() for _ in range(users)]
    for now, latency_us in completions:
        clocks[0].sent_at = now - latency_us / 1e6
        recorder.ok(clocks[0], now, latency_us, 65)
    recorder.finish(end)
    return recorder.to_wire()


def merge(*finals):
    found = options.parse({"target": "spmt", "trial_id": "t1"}, ["spmt"])
    return results.merge(found, "t1", 1000.0, 1001.0, list(finals))


def test_workers_add_up_and_only_the_window_counts():
    one = final([(-0.5, 100), (0.5, 200), (1.5, 300), (2.5, 400)], users=3)
    other = final([(-0.2, 900), (0.7, 500)], users=2)
    merged = merge(one, other)
    assert (merged["workers"], merged["users"], merged["users_starved"]) == (2, 5, 3)
    assert (merged["ok"], merged["totals"]["ok"]) == (3, 6)
    assert merged["window"] == {"opens_unix": 1001.0, "closes_unix": 1003.0, "duration_s": 2.0}
    assert merged["throughput_rps"] == 1.5
    assert merged["latency_us"]["min"] == 200
    assert merged["latency_us"]["max"] == 500
    assert merged["latency_us"]["mean"] == pytest.approx(1000 / 3, abs=0.001)
    assert [(piece["start_s"], piece["ok"]) for piece in merged["slices"]] == [(-1, 2), (0, 2), (1, 1), (2, 1)]


def test_slices_of_workers_that_started_a_little_apart_are_the_same_slices():
    merged = merge(final([], started_at=-0.99, end=2.7), final([(2.6, 100)], started_at=-0.98, end=2.69))
    assert [piece["start_s"] for piece in merged["slices"]] == [-0.99, 0, 1, 2]
    assert merged["slices"][-1] == {
        "start_s": 2, "duration_s": 0.7, "ok": 1, "failed": 0, "p50_us": 100, "p99_us": None,
    }  # fmt: skip


def test_a_window_that_closes_inside_a_second_cuts_that_second_in_two():
    merged = merge(final([(1.2, 100), (1.7, 100)], closes_at=1.5))
    assert [(piece["start_s"], piece["ok"]) for piece in merged["slices"]] == [
        (-1, 0),
        (0, 0),
        (1, 1),
        (1.5, 1),
        (2, 0),
    ]
    assert merged["ok"] == 1


def test_without_a_single_right_echo_every_latency_is_null():
    merged = merge(final([]))
    assert set(merged["latency_us"].values()) == {None}
    assert (merged["ok"], merged["throughput_rps"], merged["histogram"]["buckets"]) == (0, 0.0, [])


def test_every_failure_has_its_place_even_when_it_did_not_happen():
    assert merge(final([]))["failures"] == dict.fromkeys(FAILURES, 0)
    assert FAILURES == ("connect", "reset", "timeout", "eof", "bad_echo", "refused")


@pytest.mark.parametrize(
    ("count", "fraction", "supported"),
    [(1, 0.5, True), (9, 0.9, False), (10, 0.9, True), (99, 0.99, False), (100, 0.99, True), (999, 0.999, False),
     (1000, 0.999, True)],
)  # fmt: skip
def test_a_percentile_is_null_where_the_sample_is_too_small_for_it(count, fraction, supported):
    found = results.supported_percentile(histogram_of(range(1, count + 1)), fraction)
    assert (found is not None) is supported


def test_the_file_is_complete_json_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "load" / "t1.json"
    results.write_whole(path, merge(final([(0.5, 100)])))
    assert json.loads(path.read_text())["schema_version"] == 1
    assert [file.name for file in path.parent.iterdir()] == ["t1.json"]


def test_a_write_that_fails_leaves_the_earlier_file_alone_and_no_fragment(tmp_path, monkeypatch):
    path = tmp_path / "t1.json"
    results.write_whole(path, {"attempt": 1})

    def fails(_self: Path, _target: Path) -> Path:
        raise OSError("disk is full")

    monkeypatch.setattr(Path, "replace", fails)
    with pytest.raises(OSError, match="full"):
        results.write_whole(path, {"attempt": 2})
    assert json.loads(path.read_text()) == {"attempt": 1}
    assert [file.name for file in tmp_path.iterdir()] == ["t1.json"]
