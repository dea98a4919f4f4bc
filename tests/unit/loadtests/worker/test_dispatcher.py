"""The dispatcher with real greenlets and the real clock; schedules lie in the past or a few milliseconds ahead."""

import itertools
import math
import time

import gevent
import pytest

from loadtests.worker.dispatcher import Alarm, Dispatcher


@pytest.fixture
def dispatch():
    made = []

    def make(slots):
        dispatcher = Dispatcher(iter(slots))
        made.append(dispatcher)
        return dispatcher

    yield make
    for dispatcher in made:
        list(itertools.islice(dispatcher.stop(-math.inf), 1))


def never():
    return itertools.repeat(math.inf)


def test_slots_that_are_due_are_claimed_in_order_and_none_is_skipped(dispatch):
    now = time.perf_counter()
    slots = [now - 3, now - 2, now - 1]
    dispatcher = dispatch([*slots, now + 3600])
    assert [dispatcher.claim() for _ in range(3)] == slots
    assert dispatcher.claim() is None
    assert dispatcher.behind_s(now) == 0


def test_idle_users_get_their_slots_in_time_each_in_turn(dispatch):
    now = time.perf_counter()
    slots = [now + 0.02 * number for number in range(1, 9)]
    dispatcher = dispatch(itertools.chain(slots, (now + 3600,), never()))
    taken, late = [], []

    def user(name):
        while (due := dispatcher.wait()) is not None:
            late.append(time.perf_counter() - due)
            taken.append((due, name))

    users = [gevent.spawn(user, name) for name in "abc"]
    with gevent.Timeout(5):
        while len(taken) < len(slots):
            gevent.sleep(0.01)
    assert taken == list(zip(slots, "abcabcab", strict=True))
    assert min(late) >= 0
    # Loop timers alone would be about a millisecond late, each of them. What else runs here hardly delays all.
    assert min(late) < 0.0008
    assert list(dispatcher.stop(now)) == []
    gevent.joinall(users, timeout=5, raise_error=True)
    assert all(user.ready() for user in users)


def test_a_slot_that_finds_everybody_busy_waits_for_the_first_to_become_free(dispatch):
    now = time.perf_counter()
    slots = [now + 0.01, now + 0.02, now + 0.03]
    dispatcher = dispatch(itertools.chain(slots, (now + 3600,), never()))
    taken = []

    def user():
        for _ in slots:
            taken.append(dispatcher.claim() or dispatcher.wait())
            gevent.sleep(0.05)

    gevent.spawn(user).get(timeout=5)
    assert taken == slots


def test_stopping_tells_idle_users_and_gives_back_exactly_what_was_due_and_untaken(dispatch):
    now = time.perf_counter()
    dispatcher = dispatch([now - 3, now - 2, now - 1, now + 3600])
    assert dispatcher.claim() == now - 3
    assert dispatcher.behind_s(now) == pytest.approx(2)
    assert list(dispatcher.stop(now)) == [now - 2, now - 1]
    assert dispatcher.claim() is None
    assert dispatcher.wait() is None


def test_a_user_that_is_ended_while_idle_takes_no_slot(dispatch):
    now = time.perf_counter()
    dispatcher = dispatch(itertools.chain((now + 0.05, now + 3600), never()))
    ended, other = gevent.spawn(dispatcher.wait), gevent.spawn(dispatcher.wait)
    gevent.sleep(0)
    ended.kill()
    assert other.get(timeout=5) == now + 0.05


def test_an_alarm_for_the_past_rings_at_once_and_one_switched_off_does_not():
    rung = []
    alarm = Alarm(lambda: (rung.append(1), alarm.off()))
    try:
        alarm.set(0.0)
        with gevent.Timeout(5):
            while not rung:
                gevent.sleep(0.001)
        alarm.set(time.perf_counter() + 0.01)
        alarm.off()
        gevent.sleep(0.03)
        assert rung == [1]
    finally:
        alarm.close()
