"""Caches at the edge as they are: real nginx and Varnish before real servers that speak HTTP, under load."""

from pathlib import Path
from typing import Any

import pytest

from testbed.names import FRONTS, http_name
from testbed.plan.fields import CACHES
from tests.e2e.built import built
from tests.e2e.stack import containers_of, networks_of, orchestrate, terminal, wait_for_container
from tests.e2e.test_sweep import results_of, write_sweep
from tests.parts.test_scaling import Found, found_in

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timed,
    pytest.mark.usefixtures("images", "images_edge"),
    pytest.mark.timeout(300),
]

ITEMS = {"protocol": "http", "method": "get", "keys": 50, "zipf": 1.1, "payload": "300B", "sleep": "2ms"}
OPEN = {"mode": "open", "rate": 200, "users": 8}
STALE = "max-age=1, stale-while-revalidate=30"
LIMITS = {"limits": {"cpus": 0.4, "memory": "64MiB"}, "models": ["event-loop"], "warmup": "1s", "duration": "3s"}
# What each combination is there for, by its Cache-Control, connections and method.
OF_OPEN = {
    ("max-age=1", "persistent", "get"): "open",
    (STALE, "persistent", "get"): "stale",
    ("max-age=60", "per-request", "get"): "short",
    ("none", "persistent", "get"): "nothing-kept",
    ("max-age=60", "persistent", "post"): "posts",
}
SWEEPS: dict[str, dict[str, Any]] = {
    "open": {
        "workload": {
            **ITEMS,
            "method": ["get", "post"],
            "connection": ["persistent", "per-request"],
            "cache_control": ["none", "max-age=1", "max-age=60", STALE],
        },
        "load": OPEN,
        "exclude": [
            {"method": "post", "connection": "per-request"},
            {"method": "post", "cache_control": ["none", "max-age=1", STALE]},
            {"method": "get", "connection": "per-request", "cache_control": ["none", "max-age=1", STALE]},
            {"method": "get", "connection": "persistent", "cache_control": "max-age=60"},
        ],
    },
    "closed": {"workload": {**ITEMS, "cache_control": "max-age=1"}, "load": {"users": 4}},
    "replicas": {
        "workload": {**ITEMS, "keys": 5_000, "zipf": 0, "cache_control": "max-age=60"},
        "load": {**OPEN, "idle_holders": 3},
        "replicas": {"count": 2},
    },
    "edges": {
        "workload": {**ITEMS, "cache_control": "max-age=60"},
        "load": OPEN,
        "front": {"kind": list(CACHES), "count": 2, "cpus": 0.2},
    },
}


@pytest.fixture(scope="session")
def images_edge() -> None:
    """Those of the caches, and of a server before which they stand."""
    built([*FRONTS, "varnish", http_name("event-loop")])


@pytest.fixture(scope="module", params=SWEEPS)
def sweep(
    request: pytest.FixtureRequest, images: None, images_edge: None, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, str], Found]:
    """One sweep: what each trial has left, by what it is there for and its front."""
    kind = str(request.param)
    name = f"test-cdn-{kind}"
    directory = tmp_path_factory.mktemp("cdn")
    front = {"front": {"kind": list(CACHES), "cpus": 0.4}}
    path = write_sweep(directory, name, **{**LIMITS, **front, **SWEEPS[kind]})
    done = orchestrate("sweep", path, "--results", directory / "results")
    assert done.returncode == 0, done.stdout + done.stderr
    assert containers_of(name) == [] == networks_of(name)
    results, rows = results_of(directory / "results")
    found = {}
    for row in rows:
        of = OF_OPEN[row["cache_control"], row["connection"], row["method"]] if kind == "open" else kind
        found[of, row["front"]] = found_in(results, row)
    assert {of for of, _ in found} == ({*OF_OPEN.values()} if kind == "open" else {kind})
    return found


def of_front(sweep: dict[tuple[str, str], Found], front: str) -> list[tuple[str, Found]]:
    """Each combination and its trial with this front."""
    return [(kind, found) for (kind, of), found in sweep.items() if of == front]


@pytest.mark.parametrize("front", CACHES)
def test_every_trial_is_valid_and_every_request_is_counted_where_it_was(
    sweep: dict[tuple[str, str], Found], front: str
) -> None:
    for kind, found in of_front(sweep, front):
        what = (kind, front, found.record["reasons"])
        assert found.record["status"] == "ok", what
        passed = ("conservation", "server_survived", "front_survived", "verification", "model_shape", "wrong_echo")
        assert dict.fromkeys(passed, "pass").items() <= found.gates.items(), what
        # nginx does not count the connections that it makes to the servers.
        assert found.gates["connections"] == ("pass" if front == "varnish" else "unknown"), what
        assert found.record["failed"] == 0, what


@pytest.mark.parametrize("front", CACHES)
def test_hits_are_counted_exactly(sweep: dict[tuple[str, str], Found], front: str) -> None:
    for kind, found in of_front(sweep, front):
        totals, cache = found.load["totals"], found.record["front_counts"]["requests"]
        checks = found.record["fronts"] + found.load["replies_to_checks"] + found.load["idle_holders"]["echoes"]
        cached, ratio = totals["cached"] or 0, found.record["edge_hit_ratio"]
        asked = totals["ok"] - cached + checks
        what = (kind, front, cache, totals, ratio)
        if kind == "stale":
            assert cache["fetched"] >= asked + (cache["refreshed"] or 0), what
            assert cache["fetched"] - asked >= 5, (*what, "items were refreshed in the background")
            assert ratio > 0.9, what
        else:
            # Those in flight at the end may have come to anything.
            assert 0 <= cache["fetched"] - asked <= totals["in_flight"], what
        if kind in ("nothing-kept", "posts"):
            assert cached == 0, what
            assert ratio == (0 if kind == "nothing-kept" else None), what
        elif kind == "short":
            assert ratio > 0.9, what
        elif kind != "stale":
            assert 0 < ratio < 1, what
            assert found.record["edge_age_max_s"] <= (2 if "max-age=1" in found.record["cache_control"] else 60), what


def test_a_cache_that_dies_in_the_window_is_named(tmp_path: Path, name: str) -> None:
    fixed = {**LIMITS, "duration": "4s", "workload": ITEMS, "load": OPEN}
    path, root = write_sweep(tmp_path, name, **fixed, front={"kind": list(CACHES), "cpus": 0.4}), tmp_path / "results"
    with terminal("sweep", path, "--results", root) as shown:
        for trial in ("001", "002"):
            shown.wait_for(f"{trial}-b1-event-loop-0.4cpu window")
            wait_for_container(name, "front").kill()
        assert shown.end() == 1, shown.output
    _results, rows = results_of(root)
    assert [row["verdict"] for row in rows] == ["invalid", "invalid"]
    assert all("front ended during the window" in row["reasons"] for row in rows), rows
    assert containers_of(name) == [] == networks_of(name)
