import itertools
import json
from pathlib import Path

import pytest
from hdrh.histogram import HdrHistogram

from loadtests import fields
from loadtests.record import recorder as recorder_module
from loadtests.record import results
from loadtests.record.counts import Batch
from loadtests.record.histogram import Histogram
from loadtests.record.recorder import Recorder
from loadtests.replies import FAILURES, LimitedError

# What a gateway limits is no failure.
OTHERS = [kind for kind in FAILURES if kind != LimitedError.kind]


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
        # Half a microsecond more, so that rounding to whole ones gives the number.
        recorder.begin(clocks[0], now - (latency_us + 0.5) / 1e6)
        recorder.ok(clocks[0], now, 65)
    recorder.finish(end)
    return reported(recorder)


def reported(recorder, name="w1", wanted=0):
    held = ("wanted", "opened", "held_at_open", "held_at_close", "held_throughout", "echoes")
    holders = {**dict.fromkeys(held, wanted), "dropped": 0, "unanswered": 1, "failures": {"refused": 2}, "said": "full"}
    return recorder.to_wire() | {"generator": {"worker": name, "cpu_used_s": 0.5}, "idle_holders": holders}


def open_final(slots, users=1, worker="w1"):
    """A worker's report: slots as (due, sent, done), None for what never happened; window 0 to 2, end at 3."""
    recorder = Recorder(-1.0, 0.0, 2.0, open_loop=True)
    clocks = [recorder.join() for _ in range(users)]
    events = []
    for (due, sent, done), clock in zip(slots, itertools.cycle(clocks), strict=False):
        if sent is not None:
            events.append((sent, lambda clock=clock, due=due, sent=sent: recorder.begin_slot(clock, due, sent, True)))
            if done is not None:
                events.append((done, lambda clock=clock, done=done: recorder.ok(clock, done, 65)))
    for _at, happens in sorted(events, key=lambda event: event[0]):
        happens()
    recorder.close(3.0, [due for due, sent, _done in slots if sent is None])
    recorder.finish(3.0)
    return reported(recorder, worker, wanted=3)


def merge(*finals, expected=None, **form):
    found = fields.parse({"target": "spmt", "trial_id": "t1", **form}, ["spmt"])
    return results.merge(found, "t1", 1000.0, 1001.0, list(finals), expected or len(finals), replies_to_checks=1)


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
        "start_s": 2, "duration_s": 0.7, "in_window": False, "ok": 1, "failed": 0, "offered": None, "missed": None,
        "limited": None, "in_flight": 0, "stale": None, "cached": None, "age_max_s": None, "p50_us": 100,
        "p99_us": None, "max_us": 100,
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
    assert (merged["ok"], merged["throughput_rps"], merged["histograms"]["latency"]) == (0, 0.0, [])


def test_in_a_closed_loop_latency_is_service_time_and_there_is_no_lag_and_no_offer():
    merged = merge(final([(0.5, 200), (1.5, 300)]))
    assert merged["service_time_us"] == merged["latency_us"]
    assert set(merged["send_lag_us"].values()) == {None}
    assert (merged["offered"], merged["missed"], merged["achieved_over_offered"]) == (None, None, None)
    assert merged["hdr"]["send_lag"] is None
    assert HdrHistogram.decode(merged["hdr"]["latency"]).get_total_count() == 2


def test_the_three_clocks_of_an_open_loop_add_up_over_workers():
    one = open_final([(0.1, 0.2, 0.5), (0.3, 0.4, 0.6)], users=2)
    other = open_final([(0.15, 0.15, 0.25)], worker="w2")
    merged = merge(one, other, mode="open", rate=10)
    clocks = [merged[f"{name}_us"]["mean"] for name in ("latency", "service_time", "send_lag")]
    assert clocks == pytest.approx([800_000 / 3, 600_000 / 3, 200_000 / 3], abs=2)
    assert merged["dispatch_lag_us"]["max"] == pytest.approx(100_000, abs=2)
    assert all(sum(bucket[2] for bucket in merged["histograms"][name]) == 3 for name in ("latency", "send_lag"))


def test_what_was_due_in_the_window_is_offered_and_what_was_not_sent_by_its_end_is_missed():
    merged = merge(
        open_final(
            [(-0.5, -0.5, -0.4), (0.0, 0.0, 0.1), (0.5, 1.9, 1.95), (1.0, 1.96, 2.5), (1.5, 2.6, 2.9),
             (1.9, None, None), (2.2, None, None)]
        ),
        mode="open", rate=2,
    )  # fmt: skip
    assert (merged["offered"], merged["missed"], merged["ok"]) == (5, 2, 2)
    assert merged["achieved_over_offered"] == 2 / 5
    assert [(piece["start_s"], piece["offered"], piece["missed"]) for piece in merged["slices"]] == [
        (-1, 1, 0),
        (0, 2, 0),
        (1, 3, 2),
        (2, 1, 1),
    ]
    assert [piece["in_flight"] for piece in merged["slices"]] == [1, 0, 1, 0]
    assert merged["totals"] == {
        "sent": 5, "ok": 5, "failed": 0, "in_flight": 0, "failures": dict.fromkeys(OTHERS, 0), "limited": None,
        "stale": None, "cached": None, "age_max_s": None,
    }  # fmt: skip


def test_what_is_in_flight_at_the_end_of_a_second_adds_up_over_workers():
    one = open_final([(0.1, 0.1, 1.5), (0.2, 0.2, None)], users=2)
    other = open_final([(0.3, 0.3, 1.2)], worker="w2")
    merged = merge(one, other, mode="open", rate=10)
    assert [(piece["start_s"], piece["in_flight"]) for piece in merged["slices"]] == [(-1, 0), (0, 3), (1, 1), (2, 1)]


def test_slots_of_a_very_long_run_are_counted_in_its_last_slice(monkeypatch):
    monkeypatch.setattr(recorder_module, "MOST_SLICES", 1)
    merged = merge(open_final([(0.1, 0.1, 0.2), (1.1, 1.1, 1.2), (2.1, 2.1, 2.2)]), mode="open", rate=1)
    assert sum(piece["offered"] for piece in merged["slices"]) == 3


def test_generators_holders_and_checks_are_reported():
    merged = merge(open_final([]), open_final([], worker="w2"), mode="open", rate=1, expected=3)
    assert [worker["worker"] for worker in merged["generator"]] == ["w1", "w2"]
    held = ("wanted", "opened", "held_at_open", "held_at_close", "held_throughout", "echoes")
    expected = {**dict.fromkeys(held, 6), "dropped": 0, "unanswered": 2, "failures": {"refused": 4}, "said": "full"}
    assert merged["idle_holders"] == expected
    assert merged["workers_present"] == {"expected": 3, "throughout": False}
    assert merged["replies_to_checks"] == 1


def test_holders_of_a_window_that_never_opened_are_not_known():
    unopened = open_final([])
    unopened["idle_holders"]["held_at_open"] = None
    unopened["generator"] = None
    merged = merge(unopened, open_final([]), mode="open", rate=1)
    assert (merged["idle_holders"]["held_at_open"], merged["idle_holders"]["held_at_close"]) == (None, 6)
    assert len(merged["generator"]) == 1


def cached_final(completions, closes_at=2.0):
    """A worker's report: completions as (time, age of a reply from a cache, or None), half of them in batches."""
    recorder = Recorder(-1.0, 0.0, closes_at)
    clock, batch = recorder.join(), Batch()
    for place, (now, age_s) in enumerate(completions):
        if place % 2:
            batch.sent += 1
            batch.latency_s.append(0.0001)
            batch.cached, batch.age_max_s = (0, 0) if age_s is None else (1, age_s)
            recorder.cut(now)
            recorder.add(batch, 30)
            continue
        recorder.begin(clock, now - 0.0001)
        recorder.ok(clock, now, 30)
        if age_s is not None:
            recorder.from_cache(age_s)
    recorder.finish(3.0)
    return reported(recorder)


def test_replies_from_a_cache_are_added_over_workers_and_the_oldest_is_kept():
    one = cached_final([(-0.5, 9), (0.1, None), (0.2, 0), (0.3, 4), (1.5, 2), (2.5, 7)])
    merged = merge(one, cached_final([(0.4, 1), (1.6, None)]), protocol="http", method="get")
    assert (merged["ok"], merged["cached"], merged["age_max_s"]) == (6, 4, 4)
    assert (merged["totals"]["cached"], merged["totals"]["age_max_s"]) == (6, 9)
    found = [(piece["start_s"], piece["ok"], piece["cached"], piece["age_max_s"]) for piece in merged["slices"]]
    assert found == [(-1, 1, 1, 9), (0, 4, 3, 4), (1, 2, 1, 2), (2, 1, 1, 7)]


def test_every_failure_has_its_place_even_when_it_did_not_happen():
    assert merge(final([]))["failures"] == dict.fromkeys(OTHERS, 0)
    assert (
        *("connect", "reset", "timeout", "eof", "bad_echo", "refused", "wrong", "status", "framing", "limited"),
        *("backend unreachable", "backend timeout", "backend exhausted", "backend unknown key", "backend refused"),
    ) == FAILURES


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
    assert json.loads(path.read_text())["schema_version"] == 5
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


def test_each_service_has_what_became_of_its_requests():
    def of_services(name):
        recorder = Recorder(-1.0, 0.0, 2.0, verbs=("reads", "waits"))
        clock = recorder.join()
        for now, verb, kind in (
            (-0.5, "reads", None), (0.2, "reads", None), (0.4, "reads", "limited"), (0.6, "waits", "eof"),
            (0.8, "waits", "limited"), (1.0, "waits", None), (2.5, "waits", None), (2.6, "reads", "limited"),
        ):  # fmt: skip
            recorder.begin(clock, now - 0.1)
            if kind is None:
                recorder.asked(verb, recorder.ok(clock, now, 64), is_checked=False, is_stale=False)
            else:
                recorder.failed(clock, now, kind, answered=True, verb=verb)
        recorder.begin(clock, 2.9)
        recorder.finish(3.0)
        # It was in flight at the end.
        recorder.asked("waits", recorder.ok(clock, 3.1, 64), is_checked=False, is_stale=False)
        return reported(recorder, name)

    merged = merge(of_services("w1"), of_services("w2"), protocol="http", services="reads:2,waits:1")
    found = {name: {key: one[key] for key in ("ok", "failed", "limited", "total_ok")} for name, one in
             merged["by_service"].items()}  # fmt: skip
    assert found == {
        "reads": {"ok": 2, "failed": 0, "limited": 2, "total_ok": 4},
        "waits": {"ok": 2, "failed": 2, "limited": 2, "total_ok": 4},
    }
    for key in ("ok", "failed", "limited"):
        assert sum(one[key] for one in found.values()) == merged[key]
    assert sum(one["total_ok"] for one in found.values()) == merged["totals"]["ok"]
    assert merge(final([]))["by_service"] is None


def test_bare_echoes_beside_users_who_ask_for_the_work_are_told_apart():
    recorder = Recorder(-1.0, 0.0, 2.0, verbs=("echo", "work"))
    clock = recorder.join()
    for now, verb, took in ((-0.5, "echo", 0.4), (0.5, "echo", 0.1), (1.0, "work", 0.3), (1.5, "echo", 0.2)):
        recorder.begin(clock, now - took)
        recorder.asked(verb, recorder.ok(clock, now, 64), is_checked=False, is_stale=False)
    recorder.finish(3.0)
    merged = merge(reported(recorder, "w1"), spinners=1)
    assert merged["echo_us"]["max"] == pytest.approx(2e5, rel=1e-3)
    assert merged["work_us"]["max"] == pytest.approx(3e5, rel=1e-3)
    assert (merged["ok"], merged["asked"], merged["by_service"]) == (3, None, None)
    assert merge(final([]))["echo_us"] is None
