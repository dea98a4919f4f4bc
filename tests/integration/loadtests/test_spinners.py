"""Users who ask for the work beside users who send bare echoes: who sends which, and that their latencies are apart."""

import time
from collections import defaultdict

import pytest

from tests.integration.loadtests import rigged
from tests.integration.loadtests.locust_stack import ENGINES, locust_stack

TAKES_S = 0.03


class Working:
    """Takes its time over whatever asks for work, and remembers what came on each connection."""

    def __init__(self):
        self.asked = defaultdict(set)

    def __call__(self, connection, line):
        works = line.startswith(b"!spin=7 !hash=2 ")
        assert works or not line.startswith(b"!")
        self.asked[connection.fileno()].add(works)
        if works:
            time.sleep(TAKES_S)
        connection.sendall(line)


@pytest.fixture(scope="module")
def working():
    return Working()


@pytest.fixture(scope="module")
def stack(tmp_path_factory, working):
    server = rigged.Rigged(rigged.honest_to_probes(working))
    with locust_stack({"working": server.port}, tmp_path_factory.mktemp("results"), workers=2) as running:
        yield running
    server.stop()


@pytest.mark.parametrize("engine", ENGINES)
def test_so_many_users_ask_for_the_work_and_the_echoes_of_the_others_are_told_apart(stack, working, engine):
    working.asked.clear()
    asked = {"spinners": 3, "spin_units": 7, "hash_rounds": 2, "think_ms": 2, "users": 8, "engine": engine}
    result = stack.run(f"spinners-{engine}", target="working", **asked)
    assert (result["failed"], result["users"]) == (0, 8)
    # Each user keeps its connection and its kind.
    assert sorted(map(tuple, working.asked.values())) == [(False,)] * 5 + [(True,)] * 3
    assert result["work_us"]["min"] >= TAKES_S * 1e6 > result["echo_us"]["p50"] > 0
    counts = [sum(count for *_, count in result["histograms"][kind]) for kind in ("echo", "work")]
    assert sum(counts) == result["ok"] and min(counts) > 0
    assert (result["asked"], result["by_service"]) == (None, None)


def test_users_who_all_ask_for_the_same_have_no_kinds(stack):
    result = stack.run("alike", target="working", users=2)
    assert result["ok"] > 0
    assert (result["echo_us"], result["work_us"]) == (None, None)
