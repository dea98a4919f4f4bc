"""The fast engine gives the answers of the plain user: the same distributions and counts, also in Locust's table."""

import itertools
import time

import pytest

from tests.integration.loadtests import rigged
from tests.integration.loadtests.locust_stack import ENGINES, locust_stack
from tests.integration.servers.running import server
from tests.waiting import wait_until

# By the clock: with nothing else beside it.
pytestmark = pytest.mark.timed

DELAYS_S = (0.002, 0.012, 0.04)
"""A reply comes after one of these, in turn on each connection."""
# A bucket that holds a delay may begin a percent below it.
BANDS_US = ((1_900, 8_000), (11_500, 25_000), (39_000, 80_000))


def in_turn() -> rigged.Handler:
    turns: dict[object, itertools.cycle[float]] = {}

    def handler(connection, line):
        time.sleep(next(turns.setdefault(connection, itertools.cycle(DELAYS_S))))
        connection.sendall(line)

    return handler


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    handler = rigged.honest_to_probes(in_turn())
    with (
        server("spmt") as spmt,
        rigged.rigged(handler) as steps,
        rigged.rigged(rigged.honest_to_probes(rigged.in_single_bytes)) as pieces,
        rigged.rigged(rigged.honest_to_probes(rigged.echo_twice)) as twice,
    ):
        targets = {"spmt": spmt.port, "steps": steps.port, "pieces": pieces.port, "twice": twice.port}
        with locust_stack(targets, tmp_path_factory.mktemp("results"), workers=1) as running:
            yield running


def shares(histogram):
    """Of the requests, how many lie in each band."""
    total = sum(count for _lower, _upper, count in histogram)
    return [
        sum(count for lower, upper, count in histogram if low <= lower and upper <= high) / total
        for low, high in BANDS_US
    ]


@pytest.mark.parametrize(
    "form",
    [
        {"mode": "open", "rate": 150, "users": 16},
        {"mode": "open", "rate": 150, "users": 16, "arrivals": "poisson"},
        {"users": 4, "think_ms": 5},
    ],
    ids=["constant", "poisson", "closed"],
)
def test_both_engines_find_the_same_distribution(stack, form):
    found = {
        engine: stack.run(f"same-{engine}", target="steps", window_s=2, engine=engine, **form) for engine in ENGINES
    }
    for engine, result in found.items():
        assert result["failed"] == 0
        # Each band holds a third, but for the requests that the edges of the window cut.
        assert shares(result["histograms"]["latency"]) == pytest.approx([1 / 3] * 3, abs=0.06), engine
    one, other = (found[engine] for engine in ENGINES)
    assert one["ok"] == pytest.approx(other["ok"], rel=0.06)
    for name in ("p50", "p90"):
        # Buckets have a width of a percent, and this machine is busy.
        assert one["latency_us"][name] == pytest.approx(other["latency_us"][name], rel=0.1, abs=1_500), name
    if "mode" in form:
        assert one["offered"] == other["offered"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_reply_in_pieces_is_one_reply(stack, engine):
    result = stack.run("pieces", target="pieces", users=2, engine=engine)
    assert (result["failed"], result["totals"]["in_flight"]) == (0, 0)
    assert result["ok"] > 10


@pytest.mark.parametrize("engine", ENGINES)
def test_more_than_was_asked_for_is_never_taken_for_an_echo(stack, engine):
    result = stack.run("twice", target="twice", users=2, engine=engine)
    # The second line may come with the first, or be what the next request finds.
    assert result["failures"]["bad_echo"] > 0
    assert result["ok"] <= result["failures"]["bad_echo"] + 2


def test_the_worker_is_heard_while_it_drives_all_it_can(stack):
    result = stack.run("flat-out", target="spmt", users=64, window_s=5, engine="fast")
    # A worker that is not heard for three seconds is missing.
    assert result["workers_present"]["throughout"] is True
    assert result["failed"] == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_locusts_own_table_has_every_request(stack, engine):
    result = stack.run(f"table-{engine}", target="spmt", users=4, engine=engine)
    total = result["totals"]["ok"]

    def shown():
        return stack.get("/stats/requests")["stats"][-1]["num_requests"]

    # Locust answers with a table up to two seconds old.
    wait_until(lambda: shown() == total, f"{total} requests in the table")


def test_precise_starts_lose_no_slot_and_are_recorded_as_such(stack):
    result = stack.run("precise", target="spmt", mode="open", rate=200, users=8, window_s=1, precise="true")
    assert (result["offered"], result["options"]["engine"], result["options"]["precise"]) == (200, "fast", True)
    # A millisecond before each of two hundred starts, by the clock: some of that it may wait for its CPU.
    (cost,) = result["generator"]
    assert cost["cpu_spun_s"] > 0.05
    assert cost["cpu_share"] == pytest.approx((cost["cpu_used_s"] - cost["cpu_spun_s"]) / cost["window_s"], abs=0.001)
    totals = result["totals"]
    assert totals["sent"] == totals["ok"] + totals["failed"] + totals["in_flight"]


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"precise": "true"}, "precise: true needs mode open and engine fast"),
        ({"precise": "true", "mode": "open", "rate": 9, "engine": "plain"}, "precise: true needs mode open and engine"),
        ({"precise": "maybe"}, "precise: true or false, not 'maybe'"),
        ({"engine": "quick"}, "engine: fast or plain, not 'quick'"),
    ],
)
def test_what_an_engine_cannot_do_is_refused(stack, form, message):
    answer = stack.swarm(target="spmt", **form)
    assert answer["success"] is False
    assert message in answer["message"]
