"""What a consumer notes down and says."""

import json
from pathlib import Path

import pytest

from consumers.record import Record


def test_a_task_is_in_the_file_when_it_is_done_and_all_are_in_the_report(tmp_path: Path) -> None:
    file = tmp_path / "done"
    file.write_text("1:1\n")
    record = Record(str(file))
    record.done(b"7:100", redelivered=False)
    assert file.read_text() == "1:1\n7:100\n", "at once, behind what one before it has noted"
    record.done(b"8:101", redelivered=True)
    report = json.loads(record.report())
    assert (report["done"], report["redelivered"], report["reconnects"], report["dropped"]) == (2, 1, 0, 0)
    assert 0 < report["first"] <= report["last"]


def test_a_message_of_somebody_else_stays_one_short_line(tmp_path: Path) -> None:
    file = tmp_path / "done"
    Record(str(file)).done(b"a\nb" * 1000, redelivered=False)
    assert len(file.read_bytes()) == 201 and file.read_bytes().count(b"\n") == 1


def test_losing_the_broker_and_being_too_slow_are_said_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = Record(str(tmp_path / "done"))
    for why in ("refused", "refused"):
        record.lost_the_broker(why)
    record.has_the_broker()
    assert json.loads(record.report())["reconnects"] == 0, "it was the first"
    for why in ("closed", "refused"):
        record.lost_the_broker(why)
    record.has_the_broker()
    record.too_slow("slow consumer")
    assert capsys.readouterr().out.splitlines() == [
        "consumer: the broker is not there yet: refused",
        "consumer: the broker is gone: closed",
        "consumer: too slow: slow consumer",
    ]
    report = json.loads(record.report())
    assert (report["reconnects"], report["dropped"], report["first"]) == (1, 1, None)
