"""Waiting for room in the kernel's table of connections."""

from pathlib import Path

import pytest

from benchmarks import conntrack
from benchmarks.conntrack import wait_for_room


def test_room_is_waited_for_and_a_full_table_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nf_conntrack_max").write_text("1000\n")
    (tmp_path / "nf_conntrack_count").write_text("900\n")
    waits: list[float] = []

    def pause(seconds: float) -> None:
        waits.append(seconds)
        (tmp_path / "nf_conntrack_count").write_text(f"{900 - 100 * len(waits)}\n")

    monkeypatch.setattr(conntrack.time, "sleep", pause)
    wait_for_room(100, tmp_path)
    assert waits == []
    wait_for_room(300, tmp_path)
    assert len(waits) == 2
    (tmp_path / "nf_conntrack_count").write_text("900\n")
    monkeypatch.setattr(conntrack, "_PATIENCE_S", -1.0)
    with pytest.raises(RuntimeError, match="connection tracking is full: 900 of 1000"):
        wait_for_room(300, tmp_path)


def test_where_connections_are_not_tracked_nothing_is_waited_for(tmp_path: Path) -> None:
    wait_for_room(10_000, tmp_path / "none")
