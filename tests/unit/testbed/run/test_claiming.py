"""Sweeps of claims one after another, on an engine without containers: what is run, gone on with and judged."""

import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from testbed import exits
from testbed.claims import catalogue
from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.store import FILE, Store
from testbed.errors import EngineGone, UserError
from testbed.plan.fields import Machine
from testbed.run import claiming
from testbed.stack import images
from tests.unit.testbed.made_runs import MACHINE
from tests.unit.testbed.run.sweeping import IMAGES, Sweeping, sweeping

__all__ = ["sweeping"]


class Claims:
    """Three claims, two of which share a sweep."""

    def __init__(self, directory: Path, sweeping: Sweeping, add: Callable[[Claim], None]) -> None:
        self.sweeping, self.directory = sweeping, directory
        self.files = {name: directory / f"{name}.yaml" for name in ("shared", "alone")}
        for name, file in self.files.items():
            fields = {"name": name, "models": "spst", "repeat": 2, "duration": "10s", "images": IMAGES}
            file.write_text(yaml.safe_dump(fields), encoding="utf-8")
        for name, sweep in (("first", "shared"), ("second", "shared"), ("third", "alone")):
            add(self.made(name, sweep))

    def made(self, name: str, sweep: str, processors: int = 2) -> Claim:
        def decide(rows: Sequence[Row]) -> Finding:
            return Finding("holds", f"{len(rows)} trials", f"{name} has {len(rows)} trials")

        return Claim(
            name, f"{name} is so.", "a book", "https://example.org/", name, str(self.files[sweep]), "Holds where so.",
            decide, processors, {"repeat": 1},
        )  # fmt: skip

    def begin(self, *names: str, quick: bool = False) -> Store:
        return claiming.begin(names, quick, self.sweeping.results_root, self.sweeping.engine)

    def go_on(self, store: Store, force: bool = False) -> tuple[int, str]:
        text = io.StringIO()
        code = claiming.go_on(store, force, Console(file=text, width=200), self.sweeping.engine)
        return code, text.getvalue()


@pytest.fixture
def claims(tmp_path: Path, sweeping: Sweeping, monkeypatch: pytest.MonkeyPatch) -> Claims:
    monkeypatch.setattr(images, "build_missing", lambda *_: None)
    return Claims(tmp_path, sweeping, lambda one: monkeypatch.setitem(catalogue.CLAIMS, one.name, one))


def trials(claims: Claims) -> int:
    """How many trials the engine has been asked for."""
    return sum(call.startswith("up 0") for call in claims.sweeping.engine.calls)


def test_claims_that_share_a_sweep_share_its_run(claims: Claims) -> None:
    store = claims.begin("first", "second", "third")
    code, told = claims.go_on(store)
    assert code == exits.OK
    assert [one.name.partition("-")[0] for one in sorted(store.path.iterdir()) if one.is_dir()] == ["alone", "shared"]
    assert {name: one.outcome for name, one in store.findings().items()} == dict.fromkeys(store.names, "holds")
    assert told.splitlines()[0].startswith("3 claims, 2 sweeps: about ")
    assert "[1/2, " in told and "[2/2, " in told
    assert "second: holds: second has 2 trials" in told


def test_what_is_finished_is_not_run_again(claims: Claims) -> None:
    store = claims.begin("first")
    claims.go_on(store)
    before = trials(claims)
    code, told = claims.go_on(Store.read(store.path))
    assert code == exits.OK and trials(claims) == before
    assert "1 claim, 0 sweeps" in told


def test_a_further_claim_is_run_beside_those_that_are_there(claims: Claims) -> None:
    store = claims.begin("first")
    claims.go_on(store)
    before = trials(claims)
    more = Store.read(store.path)
    more.add(["third", "first"])
    assert more.names == ("first", "third")
    code, told = claims.go_on(more)
    assert code == exits.OK and trials(claims) > before
    assert "2 claims, 1 sweep" in told
    assert {name: one.outcome for name, one in Store.read(store.path).findings().items()} == {
        "first": "holds",
        "third": "holds",
    }


def interrupted() -> None:
    raise KeyboardInterrupt


def gone() -> None:
    raise EngineGone("Docker's engine does not answer any more")


def test_ctrl_c_keeps_finished_trials_and_says_how_to_go_on(claims: Claims) -> None:
    store = claims.begin("first", "third")
    claims.sweeping.engine.on["up 002"] = interrupted
    code, told = claims.go_on(store)
    assert code == exits.INTERRUPTED
    assert told.splitlines()[-1].endswith(f"orchestrate.py claims --resume {store.path}")
    kept = json.loads((store.path / FILE).read_text())["claims"]
    assert [one["decided"] for one in kept] == [
        "its sweep is not complete, 1 of 2 trials are missing",
        "its sweep has not run",
    ]
    claims.sweeping.engine.on.clear()
    before = trials(claims)
    again = Store.read(store.path)
    assert claims.go_on(again)[0] == exits.OK
    assert trials(claims) - before == 3
    assert {one.outcome for one in again.findings().values()} == {"holds"}


def test_what_a_killed_run_had_begun_is_found_again(claims: Claims) -> None:
    """claims.json has no word of it."""
    store = claims.begin("first")
    noted = (store.path / FILE).read_text()
    claims.go_on(store)
    (store.path / FILE).write_text(noted)
    again = Store.read(store.path)
    assert again.sweeps == {}
    before = trials(claims)
    claims.go_on(again)
    assert trials(claims) == before
    assert again.findings()["first"].outcome == "holds"


def test_a_testbed_that_fails_leaves_what_was_measured(claims: Claims) -> None:
    store = claims.begin("first")
    claims.sweeping.engine.on["up 002"] = gone
    with pytest.raises(Exception, match="does not answer any more"):
        claims.go_on(store)
    assert list(Store.read(store.path).sweeps) == [str(claims.files["shared"])]


def test_a_sweep_that_this_machine_cannot_hold_is_inconclusive_and_the_others_run(claims: Claims) -> None:
    text = yaml.safe_load(claims.files["shared"].read_text())
    claims.files["shared"].write_text(yaml.safe_dump({**text, "limits": {"cpus": 64}}))
    store = claims.begin("first", "third")
    code, _ = claims.go_on(store)
    found = store.findings()
    assert code == exits.OK
    assert [found[name].outcome for name in ("first", "third")] == ["inconclusive here", "holds"]
    assert "64" in found["first"].decided
    assert Store.read(store.path).findings()["first"].decided == found["first"].decided


def test_what_needs_more_processors_runs_nothing(claims: Claims, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(catalogue.CLAIMS, "many", claims.made("many", "alone", processors=3))
    store = claims.begin("many")
    assert claims.go_on(store)[0] == exits.OK
    assert trials(claims) == 0
    assert store.findings()["many"].decided == "needs 3 processors, and there are 2"


def test_quick_changes_the_sweep_and_says_so_in_each_line(claims: Claims) -> None:
    (one,), _ = claiming.asked(["first"], True, MACHINE)
    assert (one.sweep.repeat, one.sweep.duration, one.sweep.warmup) == (1, 2_000_000, 1_000_000)
    text = io.StringIO()
    claiming.print_plan(["first"], True, MACHINE, Console(file=text, width=200))
    assert all("(quick: wider intervals)" in line for line in text.getvalue().splitlines())
    assert claiming.words(Finding("holds", "", "so"), quick=True) == "holds (quick): so"


def test_a_plan_says_what_is_inconclusive_here(claims: Claims, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(catalogue.CLAIMS, "many", claims.made("many", "alone", processors=3))
    text = io.StringIO()
    claiming.print_plan(["many", "first"], False, Machine(2, 2**33), Console(file=text, width=200))
    assert "many: inconclusive here: needs 3 processors, and there are 2" in text.getvalue()
    assert "for first" in text.getvalue()


def test_an_unknown_name_says_what_is_allowed() -> None:
    with pytest.raises(UserError, match=r"found 'nope', allowed: second-client, "):
        claiming.named(["second-client", "nope"])
    assert claiming.named(["hybrid", "hybrid"]) == ("hybrid",)


def test_sweeps_of_claims_have_names_of_their_own() -> None:
    """By which their results are found."""
    every, refused = claiming.asked(catalogue.CLAIMS, False, Machine(8, 2**36))
    names = [one.sweep.name for one in every]
    assert not refused and len(set(names)) == len(names)


def test_the_table_shows_text_as_it_is(claims: Claims) -> None:
    text = io.StringIO()
    store = claims.begin("first", quick=True)
    claiming.show(store, {"first": Finding("not shown", "[b]", "[red]so[/red]")}, Console(file=text, width=160))
    shown = text.getvalue()
    assert "[b]" in shown and "[red]so[/red]" in shown and "not shown (quick)" in shown
