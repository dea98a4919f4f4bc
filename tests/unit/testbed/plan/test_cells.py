"""Every axis is crossed, what is excluded is left out, and what means nothing in a cell is not in it."""

from pathlib import Path

from servers.models import SERVERS, base
from testbed.judge.shape import interpreters, serving_slots
from testbed.plan import cells
from testbed.plan.pools import has_threads, has_workers
from testbed.plan.sweepfile import Machine, Sweep, parse


def sweep(text: str) -> Sweep:
    return parse("name: a\n" + text, Path("a.yaml"), Machine(2, 2**33))


CROSSED = "models: [spst, spmt]\nlimits: {cpus: [0.5, 1]}\nload: {users: [1, 8, 32]}\nrepeat: 3\n"


def test_exclude_drops_what_matches_every_given_key_and_nothing_else() -> None:
    kept = cells.cells(sweep(CROSSED + "exclude:\n  - {model: spst, users: [8, 32]}\n  - {cpus: 0.5, model: spmt}\n"))
    assert [(cell.model, cell.cpus, cell.users) for cell in kept] == [
        ("spst", 0.5, 1),
        ("spst", 1.0, 1),
        ("spmt", 1.0, 1),
        ("spmt", 1.0, 8),
        ("spmt", 1.0, 32),
    ]


def test_an_empty_exclude_rule_drops_nothing() -> None:
    assert len(cells.cells(sweep(CROSSED + "exclude: [{}]\n"))) == 12


def test_only_fields_that_vary_are_reported_as_varying() -> None:
    assert cells.varying_fields(cells.cells(sweep(CROSSED))) == ["model", "cpus", "users"]
    assert cells.varying_fields(cells.cells(sweep("models: spst\n"))) == ["model", "cpus"]


def test_pool_sizes_are_axes_only_of_models_that_have_a_pool() -> None:
    text = "models: [spst, mpmt, thread-pool]\nlimits: {cpus: [0.5, 2]}\npools: {threads: [4, 8]}\n"
    found = [(cell.model, cell.cpus, cell.workers, cell.threads) for cell in cells.cells(sweep(text))]
    assert found == [
        ("spst", 0.5, 0, 0),
        ("spst", 2.0, 0, 0),
        ("mpmt", 0.5, 2, 0),
        ("mpmt", 2.0, 2, 0),
        ("thread-pool", 0.5, 0, 4),
        ("thread-pool", 0.5, 0, 8),
        ("thread-pool", 2.0, 0, 4),
        ("thread-pool", 2.0, 0, 8),
    ]
    wider = cells.cells(sweep("models: [spst, mpmt]\npools: {workers: [2, 4]}\n"))
    assert [(cell.model, cell.workers) for cell in wider] == [("spst", 0), ("mpmt", 2), ("mpmt", 4)]


def test_the_engine_of_the_generator_is_an_axis_and_fast_unless_asked_otherwise() -> None:
    assert [(cell.engine, cell.precise) for cell in cells.cells(sweep("models: spst\n"))] == [("fast", False)]
    both = "models: spst\nload: {engine: [fast, plain]}\n"
    assert [cell.engine for cell in cells.cells(sweep(both))] == ["fast", "plain"]
    assert [cell.engine for cell in cells.cells(sweep(both + "exclude: [{engine: plain}]\n"))] == ["fast"]
    precise = "models: spst\nload: {mode: open, rate: 100, precise: true}\n"
    assert [cell.precise for cell in cells.cells(sweep(precise))] == [True]


def test_the_network_path_is_an_axis_and_can_be_excluded() -> None:
    both = "models: spst\nnetwork: [bridge, shared]\n"
    assert [cell.network for cell in cells.cells(sweep(both))] == ["bridge", "shared"]
    assert cells.varying_fields(cells.cells(sweep(both))) == ["model", "cpus", "network"]
    assert [cell.network for cell in cells.cells(sweep(both + "exclude: [{network: shared}]\n"))] == ["bridge"]
    assert [cell.network for cell in cells.cells(sweep("models: spst\n"))] == ["bridge"]


def test_a_variant_has_the_pools_of_its_model_for_every_name_that_can_be_swept() -> None:
    sizes = "pools: {workers: [2, 3], threads: [2, 4]}\n"
    found = cells.cells(sweep(f"models: [{', '.join(SERVERS)}]\n{sizes}"))
    pools = {name: {(cell.workers, cell.threads) for cell in found if cell.model == name} for name in SERVERS}
    for name in SERVERS:
        assert pools[name] == pools[base(name)], name
    assert pools["prefork-event-loop-uvloop"] == {(2, 0), (3, 0)}
    assert pools["thread-pool"] == {(0, 2), (0, 4)}
    assert pools["event-loop-uvloop"] == {(0, 0)}


def test_every_name_has_the_workers_that_its_shape_and_its_environment_need() -> None:
    for cell in cells.cells(sweep(f"models: [{', '.join(SERVERS)}]\n")):
        assert (interpreters(cell.model, cell.workers) or 1) >= 1
        assert (serving_slots(cell.model, cell.workers, cell.threads) or 1) >= 1
        assert (cell.workers > 0) == has_workers(cell.model)
        assert (cell.threads > 0) == has_threads(cell.model)
