"""A file has its name only once it is whole."""

import json
from pathlib import Path

import pytest

from probe.output import Series, write_json


def test_a_series_has_its_name_only_once_it_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "t.probe.ndjson"
    series = Series(path)
    series.add({"unix": 1.0, "pids": None})
    series.add({"unix": 2.0, "pids": 3})
    assert not path.exists()
    series.close()
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"unix": 1.0, "pids": None},
        {"unix": 2.0, "pids": 3},
    ]
    assert list(tmp_path.iterdir()) == [path]


def test_who_reads_along_with_a_live_series_finds_each_line_at_once(tmp_path: Path) -> None:
    path = tmp_path / "t.probe.ndjson"
    for live in (True, False):
        series = Series(path, live)
        series.add({"unix": 1.0})
        assert (tmp_path / ".t.probe.ndjson.partial").read_text() == ('{"unix":1.0}\n' if live else "")
        series.abandon()


def test_a_series_that_is_abandoned_leaves_nothing(tmp_path: Path) -> None:
    series = Series(tmp_path / "t.probe.ndjson")
    series.add({"unix": 1.0})
    series.abandon()
    assert list(tmp_path.iterdir()) == []


def test_a_summary_that_cannot_be_written_whole_does_not_replace_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "t.probe.json"
    write_json(path, {"complete": True})
    with pytest.raises(TypeError):
        write_json(path, {"complete": object()})
    assert json.loads(path.read_text()) == {"complete": True}
