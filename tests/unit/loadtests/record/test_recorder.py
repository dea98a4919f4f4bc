import itertools
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from loadtests.record import recorder as module
from loadtests.record.counts import Batch
from loadtests.record.recorder import Recorder


def request(recorder, clock, sent_at, done_at, size=10):
    recorder.begin(clock, sent_at)
    recorder.ok(clock, done_at, size)


def window(wire):
    return [piece for piece in wire["slices"] if piece["in_window"]]


def test_slices_are_cut_at_seconds_from_the_opening_and_at_the_closing():
    recorder = Recorder(started_at=98.7, opens_at=100.0, closes_at=102.5)
    recorder.finish(103.25)
    edges = [(piece["start_s"], piece["end_s"], piece["in_window"]) for piece in recorder.to_wire()["slices"]]
    assert edges == [
        (pytest.approx(-1.3), -1.0, False),
        (-1.0, 0.0, False),
        (0.0, 1.0, True),
        (1.0, 2.0, True),
        (2.0, 2.5, True),
        (2.5, 3.0, False),
        (3.0, 3.25, False),
    ]


def test_a_request_counts_where_it_completes():
    recorder = Recorder(99.0, 100.0, 101.0)
    clock = recorder.join()
    request(recorder, clock, 99.5, 99.9)
    request(recorder, clock, 99.95, 100.0)
    request(recorder, clock, 100.5, 100.999)
    request(recorder, clock, 100.9995, 101.0)
    recorder.finish(101.5)
    assert [(piece["start_s"], piece["ok"]) for piece in recorder.to_wire()["slices"]] == [(-1, 1), (0, 2), (1, 1)]


def test_a_slice_tells_what_is_in_flight_at_its_end_also_where_nothing_completes_for_seconds():
    recorder = Recorder(99.0, 100.0, 103.0)
    one, other, third = (recorder.join() for _ in range(3))
    recorder.begin(one, 99.5)
    recorder.begin(other, 100.2)
    recorder.ok(other, 100.4, 10)
    recorder.begin(other, 101.5)
    # Begun and done past the edge of a second, before anything has cut it.
    recorder.begin(third, 102.0)
    recorder.ok(third, 102.1, 10)
    recorder.failed(one, 103.0, "eof", answered=False)
    recorder.finish(103.5)
    found = [(piece["start_s"], piece["in_flight"]) for piece in recorder.to_wire()["slices"]]
    assert found == [(-1, 1), (0, 1), (1, 3), (2, 2), (3, 1)]


def test_failures_are_counted_by_kind_and_have_no_latency():
    recorder = Recorder(0.0, 0.0, None)
    clock = recorder.join()
    recorder.begin(clock, 0.1)
    recorder.failed(clock, 0.2, "eof", answered=False)
    recorder.begin(clock, 0.3)
    recorder.failed(clock, 0.4, "bad_echo", answered=True)
    recorder.finish(0.5)
    (piece,) = recorder.to_wire()["slices"]
    assert piece["failures"] == {"eof": 1, "bad_echo": 1}
    assert piece["ok"] == 0
    assert piece["latency_us"]["counts"] == {}


def test_what_is_in_flight_at_the_closing_is_known_although_it_is_cut_later():
    recorder = Recorder(0.0, 0.0, 1.0)
    waiting, between, slow = recorder.join(), recorder.join(), recorder.join()
    recorder.begin(waiting, 0.2)  # never answered
    request(recorder, between, 0.8, 0.9)
    recorder.begin(slow, 0.95)  # answered after the closing
    recorder.begin(between, 1.05)  # sent after the closing, before anything completed
    recorder.ok(slow, 1.1, 10)
    recorder.ok(between, 1.2, 10)
    recorder.finish(1.5)
    wire = recorder.to_wire()
    assert (wire["users"], wire["in_flight"], wire["in_flight_at_end"]) == (3, 2, 1)


def test_users_that_came_late_are_absent_for_a_share_of_the_window():
    recorder = Recorder(0.0, 1.0, 3.0)
    for joined_at in (0.5, 1.0, 1.5, 2.0, 9.0):
        recorder.join(now=joined_at)
    recorder.finish(9.5)
    # A quarter, a half, and the whole of it.
    assert recorder.to_wire()["users_absent"] == 1.75


def test_a_user_is_starved_when_no_reply_came_inside_the_window():
    recorder = Recorder(0.0, 1.0, 2.0)
    never, before, inside, after, refused = (recorder.join() for _ in range(5))
    recorder.begin(never, 0.1)
    request(recorder, before, 0.1, 0.9)
    recorder.begin(before, 0.95)
    request(recorder, inside, 0.1, 1.5)
    recorder.begin(refused, 0.1)
    recorder.failed(refused, 1.6, "refused", answered=True)
    request(recorder, after, 0.1, 2.1)
    recorder.finish(3.0)
    assert recorder.to_wire()["users_starved"] == 3


def test_a_failure_without_an_answer_leaves_its_user_starved():
    recorder = Recorder(0.0, 0.0, 1.0)
    clock = recorder.join()
    recorder.begin(clock, 0.1)
    recorder.failed(clock, 0.5, "connect", answered=False)
    recorder.finish(2.0)
    assert recorder.to_wire()["users_starved"] == 1


def test_an_open_window_closes_with_the_run():
    recorder = Recorder(10.0, 10.5, None)
    clock = recorder.join()
    request(recorder, clock, 10.6, 10.7)
    recorder.begin(clock, 10.8)
    recorder.finish(12.0)
    wire = recorder.to_wire()
    assert wire["closes_s"] == pytest.approx(1.5)
    assert (wire["in_flight"], wire["users_starved"]) == (1, 0)
    assert sum(piece["ok"] for piece in window(wire)) == 1


def test_a_run_stopped_during_warm_up_has_an_empty_window():
    recorder = Recorder(0.0, 5.0, 10.0)
    request(recorder, recorder.join(), 0.1, 0.2)
    recorder.finish(1.0)
    wire = recorder.to_wire()
    assert window(wire) == []
    assert sum(piece["ok"] for piece in wire["slices"]) == 1


def test_connections_and_bytes_count_in_their_slice():
    recorder = Recorder(0.0, 0.0, None)
    clock = recorder.join()
    recorder.connected(0.1)
    request(recorder, clock, 0.1, 0.2, size=65)
    recorder.connected(1.1)
    recorder.finish(1.5)
    assert [(piece["connections"], piece["bytes"]) for piece in recorder.to_wire()["slices"]] == [(1, 65), (1, 0)]


def test_slices_stop_growing_in_number_but_keep_counting(monkeypatch):
    monkeypatch.setattr(module, "MOST_SLICES", 3)
    recorder = Recorder(0.0, 0.0, None)
    clock = recorder.join()
    for second in range(10):
        request(recorder, clock, second + 0.1, second + 0.2)
    recorder.finish(10.0)
    slices = recorder.to_wire()["slices"]
    assert [piece["ok"] for piece in slices] == [1, 1, 1, 7]
    assert slices[-1]["end_s"] == 10.0


def test_what_completes_after_the_end_was_in_flight_and_is_not_counted_as_well():
    recorder = Recorder(0.0, 0.0, None)
    clock = recorder.join()
    request(recorder, clock, 0.1, 0.2)
    recorder.begin(clock, 0.3)
    recorder.finish(0.5)
    recorder.ok(clock, 0.6, 10)
    recorder.failed(clock, 0.7, "eof", answered=False)
    wire = recorder.to_wire()
    assert [(piece["ok"], piece["failures"]) for piece in wire["slices"]] == [(1, {})]
    assert wire["in_flight_at_end"] == 1


def test_what_is_finished_after_the_stop_is_counted_but_belongs_to_no_window():
    recorder = Recorder(0.0, 0.0, None)
    quick, slow, starved = (recorder.join() for _ in range(3))
    request(recorder, quick, 0.1, 0.2)
    recorder.begin(slow, 0.3)
    recorder.begin(starved, 0.3)
    recorder.close(0.5)
    assert recorder.in_flight == 2
    recorder.ok(slow, 0.6, 10)
    recorder.finish(0.7)
    wire = recorder.to_wire()
    assert [(piece["in_window"], piece["ok"]) for piece in wire["slices"]] == [(True, 1), (False, 1)]
    assert (wire["closes_s"], wire["in_flight"], wire["in_flight_at_end"], wire["sent"]) == (0.5, 2, 1, 3)


def test_a_stop_before_the_window_closes_closes_it():
    recorder = Recorder(0.0, 0.0, 10.0)
    clock = recorder.join()
    request(recorder, clock, 0.1, 0.2)
    recorder.begin(clock, 0.3)
    recorder.close(0.5)
    recorder.ok(clock, 0.6, 10)
    recorder.finish(0.6)
    wire = recorder.to_wire()
    assert (wire["closes_s"], sum(piece["ok"] for piece in window(wire))) == (0.5, 1)


def test_latency_counts_from_the_intended_start_and_splits_into_lag_and_service_time():
    recorder = Recorder(0.0, 0.0, 10.0, open_loop=True)
    clock = recorder.join()
    recorder.begin_slot(clock, 1.0, 1.25, was_idle=False)
    assert recorder.ok(clock, 1.75, 10) == 750_000
    recorder.begin_slot(clock, 1.5, 2.5, was_idle=True)
    recorder.failed(clock, 2.6, "eof", answered=False)
    recorder.close(10.0)
    recorder.finish(10.0)
    wire = recorder.to_wire()
    assert (wire["service_time_us"]["total"], wire["send_lag_us"]["total"]) == (500_000, 250_000)
    assert sum(piece["latency_us"]["total"] for piece in wire["slices"]) == 750_000
    # Only a slot that found an idle user says something about the generator.
    assert wire["dispatch_lag_us"]["total"] == 1_000_000


def test_times_outside_the_window_are_in_no_histogram_of_the_window():
    recorder = Recorder(0.0, 1.0, 2.0, open_loop=True)
    clock = recorder.join()
    for due in (0.5, 2.1):
        recorder.begin_slot(clock, due, due, was_idle=True)
        recorder.ok(clock, due + 0.1, 10)
    recorder.finish(3.0)
    wire = recorder.to_wire()
    for name in ("service_time_us", "send_lag_us", "dispatch_lag_us"):
        assert wire[name]["counts"] == {}


@given(
    st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["begin", "ok", "failed"]), st.floats(0, 0.4)), max_size=60),
    st.integers(0, 60),
)
def test_every_request_sent_is_ok_failed_or_in_flight(steps, stop_at):
    recorder = Recorder(0.0, 0.5, 2.0)
    clocks = [recorder.join() for _ in range(5)]
    busy, now = set(), 0.0
    for number, (user, step, gap) in enumerate(steps):
        now += gap + 1e-6
        if number == stop_at:
            recorder.close(now)
        if step == "begin" and user not in busy and number < stop_at:
            recorder.begin(clocks[user], now)
            busy.add(user)
        elif step == "ok" and user in busy:
            recorder.ok(clocks[user], now, 10)
            busy.remove(user)
        elif step == "failed" and user in busy:
            recorder.failed(clocks[user], now, "eof", answered=False)
            busy.remove(user)
    recorder.finish(now + 1)
    wire = recorder.to_wire()
    ok = sum(piece["ok"] for piece in wire["slices"])
    failed = sum(sum(piece["failures"].values()) for piece in wire["slices"])
    assert wire["in_flight_at_end"] == len(busy)
    assert wire["sent"] == ok + failed + len(busy)


def test_reporting_before_the_end_is_a_mistake():
    recorder = Recorder(0.0, 0.0, None)
    with pytest.raises(RuntimeError):
        recorder.to_wire()
    recorder.close(1.0)
    with pytest.raises(RuntimeError):
        recorder.to_wire()


@given(st.lists(st.floats(0.001, 2), max_size=50), st.floats(0, 3), st.floats(0.01, 5))
def test_slices_neither_overlap_nor_leave_gaps_and_lose_no_request(gaps, warmup_s, window_s):
    recorder = Recorder(1000.0, 1000.0 + warmup_s, 1000.0 + warmup_s + window_s)
    clock = recorder.join()
    now = 1000.0
    for gap in gaps:
        request(recorder, clock, now, now + gap)
        now += gap
    recorder.finish(now)
    slices = recorder.to_wire()["slices"]
    assert sum(piece["ok"] for piece in slices) == len(gaps)
    assert all(one["end_s"] == other["start_s"] for one, other in itertools.pairwise(slices))
    assert all(piece["end_s"] - piece["start_s"] <= 1 + 1e-6 for piece in slices)


# --- a batch at a time ---

lags = st.floats(0, 0.05)
AT_ONCE = [(0.25, 0.0, 0.0)] * 12  # the last one is in flight when the window closes


@given(st.lists(st.tuples(st.floats(0.001, 0.3), lags, lags), max_size=60), st.booleans())
@example(requests=AT_ONCE, open_loop=False)
@example(requests=AT_ONCE, open_loop=True)
def test_a_batch_at_a_time_counts_the_same_as_each_request_at_once(requests, open_loop):
    """Of one user, whose requests each have a time to be answered in, a lag, and a pause before the next."""
    each, batched = (Recorder(0.0, 1.0, 3.0, open_loop=open_loop) for _ in range(2))
    clock, other = each.join(), batched.join()
    batch, now = Batch(), 0.1
    for service_s, lag_s, pause_s in requests:
        due, sent_at, done_at = now, now + lag_s, now + lag_s + service_s
        if open_loop:
            each.begin_slot(clock, due, sent_at, was_idle=False)
            batched.slot_sent(due, sent_at)
        else:
            due = sent_at
            each.begin(clock, sent_at)
        each.ok(clock, done_at, 10)
        batch.sent += 1
        other.due_at, other.sent_at, other.done_at = due, sent_at, -math.inf
        # As the engine does it: what came before the edge is added first.
        if done_at >= batched.edge:
            batched.add(batch, 10)
            batched.cut(done_at)
        batch.latency_s.append(done_at - due)
        batch.service_time_s.append(done_at - sent_at)
        batch.send_lag_s.append(sent_at - due)
        other.done_at = other.replied_at = done_at
        now = done_at + pause_s
    batched.add(batch, 10)
    end = max(now, 3.5)
    each.finish(end)
    batched.finish(end)
    assert batched.to_wire() == each.to_wire()


def test_an_emptied_batch_keeps_its_lists():
    batch = Batch()
    append = batch.latency_s.append
    append(0.5)
    recorder = Recorder(0.0, 0.0, None)
    assert recorder.add(batch, 10).ok == 1
    append(0.25)
    added = recorder.add(batch, 10)
    assert (added.ok, added.total_us, sum(added.counts.values())) == (1, 250_000, 1)
