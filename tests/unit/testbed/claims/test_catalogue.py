"""The claims as a whole: names, sweeps that exist and are read, and how long all of them take."""

from dataclasses import replace
from typing import Any, ClassVar

import pytest
import yaml

from testbed.claims import facts
from testbed.claims.catalogue import CLAIMS, decidable
from testbed.claims.claim import Claim
from testbed.claims.sweeps import ALL_QUICK, QUICK
from testbed.plan import cells, sweepfile
from testbed.plan.axes import BY_FIELD
from testbed.plan.estimate import expected_s
from testbed.plan.fields import Machine
from testbed.plan.schema import Sweep
from testbed.results.columns import COLUMNS
from testbed.run import claiming
from tests.unit.testbed.claims.made import PROJECT, Row, made, sweep_of

# That of a laptop or a small virtual machine, which is what they are meant for.
SMALL = Machine(cpus=2, memory_bytes=8 * 2**30)
MINUTE = 60
EACH = pytest.mark.parametrize("claim", CLAIMS.values(), ids=list(CLAIMS))


def quickly(claim: Claim) -> Sweep:
    """The sweep as it is with `--quick`."""
    path = PROJECT / claim.sweep
    given = sweepfile.values(path.read_text(encoding="utf-8"))
    # A bare `on` is a key there as well.
    text = yaml.dump({**given, **ALL_QUICK, **(claim.quick or {})})
    return sweepfile.parse(text, path, Machine(cpus=8, memory_bytes=64 * 2**30))


@EACH
def test_a_claim_is_called_as_its_module(claim: Claim) -> None:
    assert CLAIMS[claim.name] is claim
    assert (PROJECT / "testbed" / "claims" / f"{claim.name.replace('-', '_')}.py").exists()


def test_every_module_with_a_claim_is_told() -> None:
    texts = {path.stem: path.read_text(encoding="utf-8") for path in (PROJECT / "testbed" / "claims").glob("*.py")}
    told = {name for name, text in texts.items() if "\nCLAIM = " in text}
    assert told == {name.replace("-", "_") for name in CLAIMS}


@EACH
def test_a_claim_says_all_that_is_needed_to_judge_it(claim: Claim) -> None:
    assert (
        claim.statement.endswith(".") and claim.source and claim.link.startswith(("https://", "http://www.kegel.com"))
    )
    assert "olds where" in claim.predicate and "does not hold" in claim.predicate
    assert claim.question


@EACH
def test_a_sweep_fits_the_processors_that_the_claim_asks_for(claim: Claim) -> None:
    machine = replace(SMALL, cpus=max(2, claim.processors))
    assert cells.cells(sweepfile.load(PROJECT / claim.sweep, machine))


@EACH
def test_claims_that_share_a_sweep_share_what_is_quick_of_it(claim: Claim) -> None:
    assert claim.quick is QUICK[claim.sweep]


def test_every_sweep_of_the_claims_is_one_of_a_claim() -> None:
    ours = {str(path.relative_to(PROJECT)) for path in (PROJECT / "sweeps" / "claims").glob("*.yaml")}
    asked = {claim.sweep for claim in CLAIMS.values()}
    assert ours <= asked and asked == set(QUICK)


# What it takes to start the load of a sweep and to calibrate, beside its trials.
START_S = 6


def seconds(quick: bool) -> float:
    """Of all claims that a machine with two processors decides, those that share a sweep together."""
    sweeps = {claim.sweep: claim for claim in CLAIMS.values() if claim.processors <= SMALL.cpus}
    run = [claim for claim in sweeps.values() if not quick or claim.quick is not None]
    return sum(START_S + expected_s(quickly(claim) if quick else sweep_of(claim)) for claim in run)


def test_all_claims_of_two_processors_take_at_most_an_hour() -> None:
    assert seconds(quick=False) <= 60 * MINUTE


def test_they_take_at_most_a_quarter_of_an_hour_with_quick() -> None:
    assert seconds(quick=True) <= 15 * MINUTE


def test_with_quick_few_are_left_out_and_it_is_said_which() -> None:
    left = {name for name, claim in CLAIMS.items() if claim.quick is None}
    assert 0 < len(left) <= len(CLAIMS) / 5
    _, refused = claiming.asked(tuple(CLAIMS), True, SMALL)
    assert set(refused) == {CLAIMS[name].sweep for name in left}
    assert all(why.startswith("left out with --quick") for why in refused.values())
    assert claiming.asked(tuple(CLAIMS), False, SMALL)[1] == {}


def test_it_is_said_which_claims_a_machine_of_so_many_processors_can_decide() -> None:
    lacking = [name for name, claim in CLAIMS.items() if claim.processors > 2]
    few = decidable(2)
    assert lacking and f"{len(CLAIMS) - len(lacking)} of {len(CLAIMS)} can be decided with 2 processors" in few
    assert all(f"{name} needs {CLAIMS[name].processors}" in few for name in lacking)
    assert decidable(64) == f"claims: {len(CLAIMS)} of {len(CLAIMS)} can be decided with 64 processors"


# What a row has before anything is measured.
PLACE = ("trial_id", "block", "canary", "verdict", "status", "reasons", "redo_of")


def unmeasured(row: Row) -> Row:
    return {name: None for name in COLUMNS if name not in BY_FIELD and name not in PLACE}


@EACH
def test_rows_without_any_figure_decide_nothing(claim: Claim) -> None:
    """Also that every combination which the predicate asks for is one of the sweep's: it is never `no trial of`."""
    found = claim.decide(made(claim, unmeasured))
    assert found.outcome == "inconclusive here", found.decided
    assert "no trial of" not in found.decided
    assert claim.decide([]).outcome == "inconclusive here"


class Asking(dict[str, Any]):
    """A row that keeps what it was asked for."""

    asked: ClassVar[set[str]] = set()

    def get(self, name: str, default: Any = None) -> Any:
        self.asked.add(name)
        return super().get(name, default)

    def __getitem__(self, name: str) -> Any:
        self.asked.add(name)
        return super().__getitem__(name)


@EACH
def test_a_predicate_asks_for_columns_and_facts_alone(claim: Claim, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Asking, "asked", set())
    claim.decide([Asking(row) for row in made(claim, lambda row: dict.fromkeys(facts.FACTS, 1))])
    assert Asking.asked - {"ran_out"} <= COLUMNS.keys() | facts.FACTS.keys()
    assert len(Asking.asked) > 3
