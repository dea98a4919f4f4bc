"""The tables in docs/ are those of the program, and a page that is behind is noticed."""

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from testbed import docs
from testbed.claims.catalogue import CLAIMS
from testbed.claims.store import Store
from testbed.docs import claims, columns, pages, program
from testbed.errors import UserError
from testbed.plan import sweepfile, trials
from testbed.plan.cell import Cell
from testbed.plan.schema import Order
from testbed.plan.search import Capacity
from testbed.plan.sections.front import Front
from testbed.plan.sections.load import Load, Slo
from testbed.plan.sections.replicas import Replicas, Sidecar
from testbed.plan.sections.server import Limits, Pools
from testbed.plan.sections.workload import Workload
from testbed.plan.steps import Answer
from testbed.results.columns import COLUMNS
from testbed.results.directory import csv_text
from testbed.results.searches import CAPACITY_COLUMNS


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def test_what_is_made_in_the_pages_is_up_to_date() -> None:
    behind = [page.name for page in pages.pages() if pages.up_to_date(text_of(page)) != text_of(page)]
    assert behind == [], "run `make docs`"


def test_everything_that_can_be_made_stands_in_one_page() -> None:
    assert sorted(name for page in pages.pages() for name in pages.made_in(text_of(page))) == sorted(pages.PARTS)


def test_a_page_that_is_behind_is_noticed_and_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "docs" / "page.md"
    page.parent.mkdir()
    page.write_text("before\n<!-- made by `make docs`: thresholds -->\nwas there\n<!-- end of thresholds -->\nafter\n")
    monkeypatch.setattr(docs, "DOCS", page.parent)
    assert pages.main() == 0
    text = text_of(page)
    assert text.startswith("before\n") and text.endswith("\nafter\n") and "was there" not in text
    assert "| `server_cpu_share` | 90 % | `server-bound` |" in text
    assert pages.up_to_date(text) == text


def test_a_part_that_nothing_makes_is_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "page.md").write_text("<!-- made by `make docs`: nothing -->\n<!-- end of nothing -->\n")
    monkeypatch.setattr(docs, "DOCS", tmp_path / "docs")
    assert pages.main() == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("docs/page.md: made by `make docs`: found 'nothing', allowed: keys, ")


def test_every_column_is_explained_once() -> None:
    for part, every in ((columns.trial_columns, COLUMNS), (columns.capacity_columns, CAPACITY_COLUMNS)):
        explained = re.findall(r"^\| `(\w+)` \| \S", part(), re.MULTILINE)
        assert sorted(explained) == sorted(every)
    (header,) = csv.reader(io.StringIO(csv_text([])))
    assert header == list(COLUMNS)


def test_a_column_that_is_new_is_in_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COLUMNS, "new_us", "something that was not there")
    others = "### Others\n\n| column | meaning |\n|---|---|\n| `new_us` | something that was not"
    assert others in columns.trial_columns()


def test_every_column_of_capacity_csv_is_explained() -> None:
    entry = trials.trials(sweep_of(load={"mode": "capacity", "slo": {"p99": "50ms"}}))[0]
    row = Answer(entry, 50_000, Capacity(100.0, 108.0, 9, confirmed=True), client_bound=False).row()
    assert set(CAPACITY_COLUMNS) == set(row) - set(Cell.__annotations__) | {"rate_rps"}


def sweep_of(**sections: Any) -> sweepfile.Sweep:
    machine = sweepfile.Machine(cpus=2, memory_bytes=4 * 2**30)
    return sweepfile.Sweep.model_validate({"name": "t", **sections}, context={"machine": machine})


def keys_of(section: type[BaseModel], before: str = "") -> Iterator[str]:
    sections = {
        "limits": Limits,
        "pools": Pools,
        "workload": Workload,
        "load": Load,
        "order": Order,
        "slo": Slo,
        "objective": Slo,
    }
    sections |= {"replicas": Replicas, "front": Front, "sidecar": Sidecar, "slo": Slo, "objective": Slo}
    for name in section.model_fields:
        if name in sections:
            yield from keys_of(sections[name], f"{before}{name}.")
        else:
            yield f"{before}{name}"


def test_every_key_of_a_sweep_file_is_explained_once() -> None:
    explained = re.findall(r"^\| `([\w.]+)` \| .+ \| .+ \| .+ \|$", program.sweep_keys(), re.MULTILINE)
    assert sorted(explained) == sorted(keys_of(sweepfile.Sweep))


def measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, file: str = "claims.json", quick: bool = True, **changed: str
) -> None:
    """docs/claims.json of one claim that this machine could not decide; `changed`: what it said of it otherwise."""
    store = Store(tmp_path, ("hybrid",), quick=quick, processors=2)
    told = store.told(store.findings())
    told["claims"][0] |= changed
    (tmp_path / file).write_text(json.dumps({**told, "host": {"cpus": 2, "cpu_model": "a"}}))
    monkeypatch.setattr(docs, "DOCS", tmp_path)


def test_the_table_of_claims_is_of_the_run_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured(tmp_path, monkeypatch)
    assert "With `--quick`: wider intervals. Measured on 2 processors (a)" in claims.claims()
    assert f"| {CLAIMS['hybrid'].statement} | inconclusive here |  |" in claims.claims()
    assert "| inconclusive here | needs 4 processors, and there are 2 |" in claims.claims_decided()
    assert f"[{CLAIMS['hybrid'].source}]({CLAIMS['hybrid'].link})" in claims.claims_decided()


def test_without_a_run_there_is_no_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(docs, "DOCS", tmp_path)
    assert claims.claims() == claims.claims_decided() == "Nothing was measured with this version yet.\n"


@pytest.mark.parametrize("changed", [{"predicate": "Holds always."}, {"statement": "It is so."}, {"name": "gone"}])
def test_what_was_found_of_another_claim_is_not_told_of_this_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: dict[str, str]
) -> None:
    measured(tmp_path, monkeypatch, **changed)
    with pytest.raises(UserError, match="found is another claim than the program has; measure it again"):
        claims.claims()


def test_a_second_run_is_told_by_what_it_found_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    again = {"file": "claims-again.json", "quick": False}
    measured(tmp_path, monkeypatch, outcome="holds", figure="x 2 (1.8 to 2.2)")
    assert claims.claims_again() == "There was no second run with this version yet.\n"
    measured(tmp_path, monkeypatch, **again, outcome="holds", figure="x 3 (2 to 4)")
    assert claims.claims_again().startswith("Measured on 2 processors (a)")
    same = "Of 1 outcomes 1 are those of the first run; none turned from *holds* to *does not hold* or back.\n"
    assert claims.claims_again().endswith(same)
    for outcome, turned in (("not shown", "none"), ("does not hold", "1")):
        measured(tmp_path, monkeypatch, **again, outcome=outcome, figure="x 1 (0.5 to 2)")
        told = claims.claims_again()
        assert f"Of 1 outcomes 0 are those of the first run; {turned} turned from" in told
        assert told.endswith(f"| `hybrid` | holds: x 2 (1.8 to 2.2) | {outcome}: x 1 (0.5 to 2) |\n")


def test_a_second_run_of_another_claim_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measured(tmp_path, monkeypatch)
    measured(tmp_path, monkeypatch, file="claims-again.json", predicate="Holds always.")
    with pytest.raises(UserError, match=r"docs/claims-again\.json: hybrid: found is another claim"):
        claims.claims_again()
