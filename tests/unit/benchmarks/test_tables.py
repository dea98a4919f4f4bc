"""Benchmarks' tables survive being saved, print what they hold, and are compared by their ranges."""

from typing import Any

import pytest

from benchmarks.__main__ import BENCHMARKS, changes
from benchmarks.common import Spread, Table, as_json, from_json, print_table, ratios, run


def table(*values: float, name: str = "echo") -> Table:
    return Table(
        "servers", "python -m benchmarks.servers", "requests/s", ("model", "rate"), ((name, Spread.of(values)),)
    )


def test_a_table_is_the_same_after_it_was_saved(capsys: pytest.CaptureFixture[str]) -> None:
    wide = Table("a", "c", "us", ("x", "y", "z"), (("r", 1, None), ("s", Spread.of([1, 2, 4]), "w")), ("note",))
    assert from_json(as_json(wide)) == wide
    print_table(wide)
    printed = capsys.readouterr().out
    assert "2 (1 to 4)" in printed
    assert "note" in printed
    with pytest.raises(ValueError, match="a row of 1 cells for 2 columns"):
        Table("a", "c", "us", ("x", "y"), (("r",),))


def test_only_figures_whose_ranges_do_not_overlap_have_changed() -> None:
    assert changes(table(100, 110, 120), table(115, 125, 130)) == []
    (line,) = changes(table(100, 110, 120), table(200, 220, 230))
    assert line == "echo, rate: 110 (100 to 120), was 220 (200 to 230): 0.50 times"
    assert changes(table(1, 2, 3), table(9, 9, 9, name="other")) == []


def test_ratios_are_taken_turn_by_turn() -> None:
    assert ratios([2.0, 30.0], [1.0, 10.0]) == Spread(2.5, 2.0, 3.0)


def test_every_benchmark_of_the_list_is_named_once() -> None:
    assert len(set(BENCHMARKS)) == len(BENCHMARKS)


def test_a_benchmark_as_a_program_takes_the_numbers_of_its_measure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure(rounds: int = 5, seconds: float = 2.0) -> dict[str, Any]:
        return as_json(Table("made", "command", "unit", ("row", "rounds", "seconds"), (("one", rounds, seconds),)))

    monkeypatch.setattr("sys.argv", ["made", "--seconds", "0.5"])
    run(measure)
    assert "one        5     0.500" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["made", "--rounds", "many"])
    with pytest.raises(SystemExit):
        run(measure)
    error = capsys.readouterr().err
    assert "python -m benchmarks.test_tables: error: argument --rounds: invalid int value: 'many'" in error
