"""Open loops and conservation: real Locust, real servers, their counts compared to the last request."""

import os
import signal
import time
from contextlib import ExitStack

import pytest

from servers.models import MODELS
from tests.integration.loadtests.locust_stack import ENGINES, locust_stack
from tests.integration.servers.running import server
from tests.waiting import wait_until

# By the clock: with nothing else beside it.
pytestmark = pytest.mark.timed


@pytest.fixture(scope="module")
def servers():
    with ExitStack() as running:
        yield {model: running.enter_context(server(model)) for model in MODELS}


@pytest.fixture(scope="module")
def stack(servers, tmp_path_factory):
    targets = {model: one.port for model, one in servers.items()}
    with locust_stack(targets, tmp_path_factory.mktemp("results")) as running:
        yield running


@pytest.fixture(scope="module")
def alone(servers, tmp_path_factory):
    """One worker, so that one schedule and few users can be computed by hand."""
    with locust_stack({"spmt": servers["spmt"].port}, tmp_path_factory.mktemp("alone"), workers=1) as running:
        yield running


def conserved(result):
    totals = result["totals"]
    assert result["sent"] == totals["sent"] == totals["ok"] + totals["failed"] + totals["in_flight"]
    inside = [piece for piece in result["slices"] if piece["in_window"]]
    assert sum(piece["offered"] for piece in inside) == result["offered"]
    assert sum(piece["missed"] for piece in inside) == result["missed"]
    for name in ("latency", "service_time", "send_lag"):
        assert sum(count for _lower, _upper, count in result["histograms"][name]) == result["ok"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_constant_rate_is_offered_to_the_slot_and_kept(stack, engine):
    result = stack.run("constant", target="event-loop", mode="open", rate=400, users=16, window_s=1.5, engine=engine)
    assert (result["offered"], result["users"]) == (600, 16)
    # The last slot is due milliseconds before the closing, and this machine is busy.
    assert result["missed"] <= 4
    assert [piece["offered"] for piece in result["slices"] if 0 <= piece["start_s"] < 1.5] == [400, 200]
    assert result["achieved_over_offered"] == pytest.approx(1, abs=0.03)
    clocks = {name: result[f"{name}_us"] for name in ("latency", "service_time", "send_lag")}
    assert clocks["latency"]["mean"] == pytest.approx(
        clocks["service_time"]["mean"] + clocks["send_lag"]["mean"], abs=2
    )
    # What a millisecond tick of the timers would make of it is twice as much.
    assert result["dispatch_lag_us"]["p50"] < 400
    conserved(result)


@pytest.mark.parametrize("engine", ENGINES)
def test_random_arrivals_have_the_rate_asked_for_and_come_again_with_the_seed(stack, engine):
    form = {"target": "event-loop", "mode": "open", "rate": 800, "arrivals": "poisson", "users": 32}
    one, again, other = (
        stack.run(f"poisson-{number}", **form, seed=seed, engine=engine) for number, seed in enumerate((7, 7, 8))
    )
    # Five standard deviations of a Poisson count, in a window of 0.6 s.
    assert one["offered"] == pytest.approx(480, abs=110)
    assert one["offered"] == again["offered"]
    assert one["offered"] != other["offered"]
    conserved(one)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_schedule_that_cannot_be_kept_is_said_and_its_delay_is_latency(alone, engine):
    """One user, 100 ms a request, 100 a second: a tenth is achieved, and every request is 90 ms later than the last."""
    result = alone.run(
        "starved",
        target="spmt",
        mode="open",
        rate=100,
        users=1,
        sleep_us=100_000,
        warmup_s=0,
        window_s=2,
        engine=engine,
    )
    ok, service_us = result["ok"], result["service_time_us"]["mean"]
    assert result["offered"] == 200
    # Sent by the closing: those answered and the one under way.
    assert result["missed"] == 200 - ok - result["in_flight"]
    assert result["in_flight"] == 1
    assert result["achieved_over_offered"] == pytest.approx(0.1, abs=0.015)
    assert result["service_time_us"]["max"] < 150_000
    assert result["latency_us"]["max"] == pytest.approx(ok * service_us - (ok - 1) * 10_000, rel=0.02)
    assert result["send_lag_us"]["max"] == pytest.approx((ok - 1) * (service_us - 10_000), rel=0.02)
    # A straight line from the first to the last: the mean is in the middle.
    assert result["latency_us"]["mean"] == pytest.approx((service_us + result["latency_us"]["max"]) / 2, rel=0.02)
    conserved(result)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_stalled_server_shows_in_latency_as_long_as_it_was_though_few_requests_were_under_way(alone, servers, engine):
    rate, users = 500, 8
    alone.start(
        trial_id="stall", target="spmt", mode="open", rate=rate, users=users, warmup_s=0.3, window_s=3, engine=engine
    )
    wait_until(lambda: alone.status()["window_opens_in_s"] < -0.5, "the window to be open")
    os.kill(servers["spmt"].pid, signal.SIGSTOP)
    began = time.monotonic()
    try:
        time.sleep(0.7)
    finally:
        stalled_s = time.monotonic() - began
        os.kill(servers["spmt"].pid, signal.SIGCONT)
    wait_until(lambda: alone.status()["window_closes_in_s"] < 0, "the window to close")
    assert alone.stop()["complete"] is True
    result = alone.result("stall")
    assert result["offered"] == 3 * rate
    assert result["missed"] <= 5
    # Slots of the stall wait from their start to its end. The worst hundredth of all is the first of them.
    expected_us = (stalled_s - 0.01 * result["ok"] / rate) * 1e6
    assert result["latency_us"]["p99"] == pytest.approx(expected_us, rel=0.02)
    # Only those under way knew: what a closed loop sees.
    assert result["service_time_us"]["p99"] < 0.1 * expected_us
    assert result["service_time_us"]["max"] == pytest.approx(stalled_s * 1e6, rel=0.05)
    conserved(result)


def test_users_that_fail_do_not_slow_the_schedule(stack):
    result = stack.run("no-hash", target="spmt", mode="open", rate=100, users=4, hash_rounds=10_000_000, window_s=0.5)
    assert result["offered"] == 50


def test_what_clients_and_servers_counted_agrees_to_the_last_request_over_all_models(stack, servers):
    """Closed and open, kept and short connections, users that are starved: nothing is lost at the stop."""
    answered = dict.fromkeys(servers, 0)
    for number, model in enumerate(servers):
        closed = {"connection": ("persistent", "per-request", "5")[number % 3]}
        opened = {"mode": "open", "rate": 300, "arrivals": "poisson"}
        for name, form in (("closed", closed), ("open", opened)):
            checked = stack.post("/threadmill/verify", target=model, parallel=0).json()
            result = stack.run(f"{model}-{name}", target=model, users=8, warmup_s=0, window_s=0.3, **form)
            assert (result["totals"]["failed"], result["totals"]["in_flight"]) == (0, 0), (model, name)
            assert result["ok"] > 0
            answered[model] += (
                checked["replies"] - checked["errors"] + result["totals"]["ok"] + result["replies_to_checks"]
            )
            assert result["sent"] == result["totals"]["ok"]
    # Counts of the whole module: other tests have used some of these servers.
    for model in ("spst", "mpst", "mpmt", "thread-pool", "prefork", "prefork-event-loop"):
        assert servers[model].stop() == 0
        assert servers[model].totals()["served"] == answered[model], model
