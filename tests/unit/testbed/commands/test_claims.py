"""`orchestrate.py claims` without Docker: what it lists, judges and refuses."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from testbed import exits
from testbed.claims.catalogue import CLAIMS
from testbed.claims.page import FILE as PAGE
from testbed.claims.store import Store
from testbed.errors import UserError
from tests.commanded import commanded


def told(*words: str | Path) -> str:
    text = io.StringIO()
    assert commanded(Console(file=text, width=100), "claims", *words) == exits.OK
    return text.getvalue()


def test_all_claims_are_listed_in_their_words() -> None:
    lines = told("--list").splitlines()
    assert lines == [f"{name}: {claim.statement}" for name, claim in CLAIMS.items()]


def test_the_list_is_json_too() -> None:
    (one,) = json.loads(told("--list", "--json", "hybrid"))
    assert (one["name"], one["processors"], one["predicate"]) == ("hybrid", 4, CLAIMS["hybrid"].predicate)


def test_what_is_there_is_judged_and_its_page_written(tmp_path: Path) -> None:
    Store(tmp_path, ("hybrid",), quick=False, processors=2).write()
    shown = told("--judge", tmp_path)
    assert "inconclusive" in shown and f"page: {tmp_path / PAGE}" in shown
    assert (tmp_path / PAGE).exists()


def test_json_alone_is_on_standard_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Store(tmp_path, ("hybrid",), quick=False, processors=2).write()
    found = json.loads(told("--judge", tmp_path, "--json"))
    assert [one["decided"] for one in found["claims"]] == ["needs 4 processors, and there are 2"]
    assert "page: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--judge", "a", "--resume", "b"], "found --resume and --judge, allowed: one of them"),
        (["--list", "--dry-run"], "found --list and --dry-run, allowed: one of them"),
        (["--judge", "a", "hybrid"], "found --judge with hybrid, allowed: --judge DIR alone"),
        (["--resume", "a", "--quick"], "found --resume with --quick, allowed"),
        (["--dry-run", "--json"], "found --dry-run and --json"),
        (["--force"], "found without --resume"),
        (["nope"], "found 'nope', allowed: second-client"),
        (["--judge", "nowhere"], "nowhere: no claims.json that can be read"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_a_line(words: list[str], line: str) -> None:
    with pytest.raises(UserError) as refused:
        told(*words)
    assert line in str(refused.value) and "\n" not in str(refused.value)


def test_a_results_directory_that_cannot_be_made_is_refused_before_anything_runs(tmp_path: Path) -> None:
    from testbed.run import claiming
    from tests.unit.testbed.run.fake_engine import FakeEngine

    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="choose another place with --results DIR"):
        claiming.begin(("hybrid",), False, tmp_path / "file", FakeEngine())  # type: ignore[arg-type]
