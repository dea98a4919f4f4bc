"""A rate that changes, by real Locust on a real server: every second has its slots, whatever drives them."""

import pytest

from loadtests import profiles
from tests.integration.loadtests.locust_stack import ENGINES, locust_stack
from tests.integration.servers.running import server

# By the clock: with nothing else beside it.
pytestmark = pytest.mark.timed

STEPS = "100x1s,400x2s,0x1s,60x1s"


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    with (
        server("event-loop") as one,
        locust_stack({"event-loop": one.port}, tmp_path_factory.mktemp("results")) as running,
    ):
        yield running


def run(stack, text, **form):
    profile = profiles.parse(text)
    form = {"target": "event-loop", "mode": "open", "users": 16, "window_s": profile.length_s, **form}
    return stack.run("changing", load_profile=text, **form)


def inside(result, name):
    return [piece[name] for piece in result["slices"] if piece["in_window"]]


@pytest.mark.parametrize(
    "form",
    [*({"engine": engine} for engine in ENGINES), {"precise": "true"}],
    ids=[*ENGINES, "precise"],
)
def test_a_second_of_a_step_is_offered_its_rate_to_the_slot(stack, form):
    result = run(stack, STEPS, **form)
    assert inside(result, "offered") == [100, 400, 400, 0, 60]
    assert result["offered"] == 960
    assert result["options"]["load_profile"] == STEPS
    # The warm-up of 0.2 s, at the first rate.
    assert sum(piece["offered"] for piece in result["slices"] if piece["start_s"] < 0) == 20
    # Answered in their seconds but for those due at the end of one; this machine is busy.
    assert inside(result, "ok") == pytest.approx([100, 400, 400, 0, 60], abs=40)
    assert result["failed"] == 0
    assert result["missed"] <= 4
    totals = result["totals"]
    assert totals["sent"] == totals["ok"] + totals["failed"] + totals["in_flight"]
    assert all(0 <= count <= 16 for count in inside(result, "in_flight"))


@pytest.mark.parametrize("text", ["20-300x2s,300-100x1s", "200+-200/2sx3s"])
def test_the_seconds_of_a_ramp_and_of_a_sine_have_the_integral_of_the_rate(stack, text):
    profile = profiles.parse(text)
    result = run(stack, text)
    expected = [profile.count(second + 1) - profile.count(second) for second in range(3)]
    assert inside(result, "offered") == pytest.approx(expected, abs=1)
    assert result["offered"] == pytest.approx(profile.count(3), abs=1)


def test_random_arrivals_of_a_profile_come_again_with_the_seed(stack):
    one, again, other = (run(stack, "200x1s,800x1s", arrivals="poisson", seed=seed) for seed in (7, 7, 8))
    # Five standard deviations of a Poisson count.
    assert inside(one, "offered") == pytest.approx([200, 800], abs=142)
    assert inside(one, "offered") == inside(again, "offered")
    assert inside(one, "offered") != inside(other, "offered")


def test_after_a_profile_its_last_rate_holds(stack):
    assert inside(run(stack, "50x1s,150x1s", window_s=3), "offered") == [50, 150, 150]


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"load_profile": "100x20s"}, "load_profile: '100x20s' needs mode open"),
        ({"load_profile": "100x", "mode": "open"}, "load_profile: segment 1, '100x': allowed: segments such as"),
        ({"load_profile": "9x9s", "mode": "open", "rate": 5}, "rate: load_profile says the rates, so 0, not 5"),
        ({"load_profile": "9x9s", "mode": "open", "window_s": 5}, "load_profile: at most as long as the window, 5 s"),
    ],
)
def test_a_profile_that_cannot_be_run_is_refused_in_a_line(stack, form, said):
    answer = stack.swarm(target="event-loop", **form)
    assert answer["success"] is False
    assert answer["message"].startswith(said)
    assert "\n" not in answer["message"]
