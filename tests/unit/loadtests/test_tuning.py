from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests.tuning import patient, three_figures


@pytest.mark.parametrize(
    ("response_time_ms", "bucket"),
    [(0.0234, 0.023), (0.4567, 0.457), (1.234, 1.23), (45.67, 45.7), (456.7, 457), (4567.8, 4570), (45678.9, 45700)],
)
def test_locusts_percentiles_keep_three_figures_below_a_millisecond_too(response_time_ms, bucket):
    assert three_figures(response_time_ms) == bucket


@given(st.floats(1, 1e7))
def test_a_bucket_is_within_half_a_percent_of_the_value(response_time_ms):
    assert three_figures(response_time_ms) == pytest.approx(response_time_ms, rel=0.0051)


@pytest.mark.parametrize("kind", ["spawning", "spawning_complete"])
def test_what_a_worker_says_of_a_run_that_it_has_left_is_no_reason_to_send_it_away(kind):
    """Locust tells a worker that it does not know to quit; one that has just stopped is about to register again."""
    handled = []
    handle = patient(lambda _self, _client_id, msg: handled.append(msg.type))
    master = SimpleNamespace(clients={"known": None})
    handle(master, "unknown", SimpleNamespace(type=kind, node_id="unknown"))
    assert handled == []
    handle(master, "known", SimpleNamespace(type=kind, node_id="known"))
    handle(master, "unknown", SimpleNamespace(type="client_ready", node_id="unknown"))
    assert handled == [kind, "client_ready"]
