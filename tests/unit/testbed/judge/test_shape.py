"""Processes and threads of every model, and what it serves at once."""

import pytest

from servers.models import MODELS, VARIANTS
from testbed.judge.shape import (
    Shape,
    check,
    checked_at_once,
    expected,
    interpreters,
    serves_in_threads,
    serving_slots,
    surely_served,
)

# With 3 workers and 5 threads: what 1 and what 7 open connections make of it.
TABLE = {
    "spst": (Shape(1, 1), Shape(1, 1), 1, 1),
    "spmt": (Shape(1, 2), Shape(1, 8), None, 1),
    "mpst": (Shape(2, 2), Shape(8, 8), None, None),
    "mpmt": (Shape(4, 5), Shape(4, 11), None, 3),
    "thread-pool": (Shape(1, 6), Shape(1, 6), 5, 1),
    "prefork": (Shape(4, 4), Shape(4, 4), 3, 3),
    "event-loop": (Shape(1, 1), Shape(1, 1), None, 1),
    "prefork-event-loop": (Shape(4, 4), Shape(4, 4), None, 3),
    "prefork-reuseport": (Shape(4, 4), Shape(4, 4), 3, 3),
}


@pytest.mark.parametrize("model", TABLE)
def test_each_model_has_its_shape_slots_and_interpreters(model: str) -> None:
    one, seven, slots, locks = TABLE[model]
    assert expected(model, 1, workers=3, threads=5) == one
    assert expected(model, 7, workers=3, threads=5) == seven
    assert serving_slots(model, workers=3, threads=5) == slots
    assert interpreters(model, workers=3) == locks


def test_every_model_that_can_be_run_has_a_shape() -> None:
    assert set(MODELS) <= set(TABLE)


def test_where_each_worker_has_a_queue_only_one_is_sure_to_be_served_at_once() -> None:
    sure = {model: surely_served(model, workers=3, threads=5) for model in TABLE}
    assert sure.pop("prefork-reuseport") == 1
    assert sure == {model: serving_slots(model, 3, 5) for model in sure}
    assert surely_served("prefork-reuseport", workers=1, threads=0) == 1
    assert surely_served("prefork-reuseport", workers=0, threads=0) == 1


@pytest.mark.parametrize(
    ("model", "workers", "threads", "number"),
    [
        ("spst", 0, 0, 0),
        ("spmt", 0, 0, 4),
        ("event-loop", 0, 0, 4),
        ("prefork", 2, 0, 2),
        ("prefork", 9, 0, 4),
        ("prefork", 1, 0, 0),
        ("thread-pool", 0, 3, 3),
        # Two of its clients may come to one worker, and the check would wait for ever.
        ("prefork-reuseport", 9, 0, 0),
    ],
)
def test_no_more_connections_are_checked_at_once_than_are_sure_to_be_served(
    model: str, workers: int, threads: int, number: int
) -> None:
    assert checked_at_once(model, workers, threads) == number


def test_a_pool_of_unknown_size_has_unknown_slots() -> None:
    unknown = [serving_slots(model, 0, 0) for model in ("thread-pool", "prefork", "prefork-reuseport")]
    assert unknown == [None] * 3
    assert interpreters("prefork", 0) is None


def test_the_models_of_which_a_process_serves_in_several_threads() -> None:
    assert [model for model in TABLE if serves_in_threads(model)] == ["spmt", "mpmt", "thread-pool"]


def test_a_variant_has_the_shape_of_its_model() -> None:
    for variant, model in VARIANTS.items():
        assert expected(variant, 7, 3, 5) == expected(model, 7, 3, 5)
        assert serving_slots(variant, 3, 5) == serving_slots(model, 3, 5)
        assert interpreters(variant, 3) == interpreters(model, 3)


@pytest.mark.parametrize("function", [lambda m: expected(m, 1, 1, 1), lambda m: serving_slots(m, 1, 1)])
def test_an_unknown_model_is_an_error_and_not_a_guess(function: object) -> None:
    with pytest.raises(KeyError):
        function("spsm")  # type: ignore[operator]


@pytest.mark.parametrize("model", TABLE)
def test_one_process_or_thread_more_or_less_is_noticed(model: str) -> None:
    shape = expected(model, 7, 3, 5)
    assert check(model, 7, 3, 5, shape.processes, shape.threads) == ""
    for more_processes, more_threads in ((1, 0), (-1, 0), (0, 1), (0, -1)):
        assert check(model, 7, 3, 5, shape.processes + more_processes, shape.threads + more_threads)


def test_an_event_loop_that_started_executor_threads_is_another_model() -> None:
    reason = check("event-loop", 7, 3, 5, 1, 5)
    assert reason == "event-loop with 7 open connections has 1 process with 1 thread, found 1 process with 5 threads"
