"""Blocks are complete, and their order depends on nothing but the sweep and its seed."""

from collections import Counter

from testbed.plan import cells, trials
from testbed.plan.estimate import EXPECTED_SEARCH_STEPS, expected_trials
from tests.unit.testbed.plan.test_cells import CROSSED, sweep


def test_lists_are_crossed_and_each_block_holds_every_cell_once() -> None:
    planned = trials.trials(sweep(CROSSED))
    assert len(planned) == 2 * 2 * 3 * 3
    for block in (1, 2, 3):
        counts = Counter(trial.cell for trial in planned if trial.block == block)
        assert len(counts) == 12
        assert set(counts.values()) == {1}
    assert [trial.block for trial in planned] == sorted(trial.block for trial in planned)


def test_the_order_is_shuffled_per_block_and_the_same_for_the_same_seed() -> None:
    first = trials.trials(sweep(CROSSED + "order: {seed: 7}\n"))
    assert first == trials.trials(sweep(CROSSED + "order: {seed: 7}\n"))
    assert first != trials.trials(sweep(CROSSED + "order: {seed: 8}\n"))
    blocks = [[trial.cell for trial in first if trial.block == block] for block in (1, 2, 3)]
    assert blocks[0] != blocks[1] != blocks[2]


def test_without_shuffle_the_file_gives_the_order() -> None:
    planned = trials.trials(sweep("models: [spmt, spst]\norder: {shuffle: false}\n"))
    assert [trial.cell.model for trial in planned] == ["spmt", "spst"]


def test_trial_ids_are_unique_and_fit_a_file_name() -> None:
    ids = [trial.trial_id for trial in trials.trials(sweep(CROSSED))]
    assert len(set(ids)) == len(ids)
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-") for name in ids)


def test_a_canary_opens_every_block_with_the_same_cell() -> None:
    planned = trials.trials(sweep(CROSSED + "order: {canary: true}\n"))
    canaries = [trial for trial in planned if trial.canary]
    assert [trial.block for trial in canaries] == [1, 2, 3]
    assert {trial.cell for trial in canaries} == {cells.cells(sweep(CROSSED))[0]}
    for block in (1, 2, 3):
        assert next(trial for trial in planned if trial.block == block).canary
    assert len({trial.trial_id for trial in planned}) == len(planned)


def test_the_canary_of_a_search_is_a_load_that_needs_no_rate() -> None:
    """An open loop without a rate is refused by the generator: each canary would be invalid."""
    text = "models: spst\nload: {mode: capacity, slo: {p99: 50ms}, arrivals: poisson}\norder: {canary: true}\n"
    planned = trials.trials(sweep(text))
    assert [(one.canary, one.cell.mode, one.cell.users, one.cell.arrivals) for one in planned] == [
        (True, "closed", 8, "constant"),
        (False, "capacity", planned[1].cell.users, "poisson"),
    ]
    assert expected_trials(sweep(text)) == 1 + EXPECTED_SEARCH_STEPS
