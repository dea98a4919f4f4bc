"""Result files are whole or absent, and a row means what its columns say."""

import csv
import io
import json
from pathlib import Path

import pytest

from testbed.files import write_atomically, write_json
from testbed.results.columns import COLUMNS
from testbed.results.directory import ResultsDirectory, csv_text, row_of


def test_an_interrupted_write_leaves_the_old_file_and_no_part(tmp_path: Path) -> None:
    path = tmp_path / "trial.json"
    write_json(path, {"ok": 1})
    with pytest.raises(TypeError):
        write_json(path, {"ok": object()})
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "x" * 100_000 + "\ud800")
    assert json.loads(path.read_text()) == {"ok": 1}
    assert [entry.name for entry in tmp_path.iterdir()] == ["trial.json"]


def test_unknown_values_are_empty_fields_and_every_column_is_there() -> None:
    text = csv_text([{"trial_id": "1", "reasons": "a, b", "memory_peak_bytes": None, "not_a_column": 5}])
    (row,) = csv.DictReader(io.StringIO(text))
    assert list(row) == list(COLUMNS)
    assert row["trial_id"] == "1"
    assert row["reasons"] == "a, b"
    assert row["memory_peak_bytes"] == ""


def test_a_load_result_moves_into_its_trial(tmp_path: Path) -> None:
    directory = ResultsDirectory(tmp_path / "run")
    directory.create((10001, 10001))
    directory.trial("t1").mkdir()
    (directory.load / "t1.json").write_text('{"ok": 5}')
    (directory.load / "t1.probe.ndjson").write_text('{"unix": 1}\n')
    (directory.load / "t10.json").write_text("another trial's")
    assert directory.take_json("t1", "t1.json", "load.json") == {"ok": 5}
    directory.take_rest("t1")
    assert (directory.trial("t1") / "probe.ndjson").read_text() == '{"unix": 1}\n'
    assert [left.name for left in directory.load.iterdir()] == ["t10.json"]
    assert json.loads((directory.trial("t1") / "load.json").read_text()) == {"ok": 5}
    assert (directory.trial("t1") / "load.json").stat().st_uid == tmp_path.stat().st_uid
    assert directory.take_json("t2", "t2.json", "load.json") is None
    directory.close()
    assert not directory.load.exists()


def test_the_switches_of_an_older_record_were_a_part_and_are_not_known() -> None:
    record = {"reasons": [], "ok": 5, "voluntary_switches": 7, "involuntary_switches": 1}
    old, new = (row_of(record | {"schema_version": version}) for version in (2, 3))
    assert (old["voluntary_switches"], old["involuntary_switches"], old["ok"]) == (None, None, 5)
    assert (new["voluntary_switches"], new["involuntary_switches"], new["ok"]) == (7, 1, 5)
    assert row_of(record)["voluntary_switches"] is None
