"""What a probe writes is read along, line by line: what a box has used over the last seconds."""

import json
from pathlib import Path
from typing import Any

import pytest

from testbed.run.sensors import KEPT_S, Series
from testbed.stack.services import Limits

LIMITS = Limits(cpus=0.5, memory_bytes=1000)


def line(unix: float, **known: Any) -> str:
    usual = {"cpu_used_us": int(unix * 200_000), "periods": int(unix * 10), "throttled_periods": int(unix * 4)}
    return json.dumps({"unix": unix, "memory_now_bytes": 250, **usual, **known}) + "\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".t.probe.ndjson.partial"


def test_a_box_has_used_what_its_counters_grew_by(path: Path) -> None:
    series = Series(path)
    series.look()
    assert series.use(2.0, LIMITS) is None
    path.write_text(line(10.0, accept_queue=3))
    series.look()
    assert series.use(2.0, LIMITS) is None
    with path.open("a") as file:
        file.write(line(11.0, accept_queue=7) + line(12.0) + line(13.0) + line(14.0)[:-9])
    series.look()
    use = series.use(2.0, LIMITS)
    assert use is not None
    assert (use.seconds, use.cpu_s, use.cpu_share) == (2.0, pytest.approx(0.4), pytest.approx(0.4))
    assert (use.memory_share, use.throttled_share, use.accept_queue) == (0.25, 0.4, 7)
    # The rest of a line that was cut comes with the next look.
    with path.open("a") as file:
        file.write(line(14.0)[-9:])
    series.look()
    use = series.use(4.0, LIMITS)
    assert use is not None
    assert use.seconds == 4.0


def test_what_a_line_does_not_know_is_not_known(path: Path) -> None:
    series = Series(path)
    path.write_text(line(1.0, cpu_used_us=None) + line(2.0, memory_now_bytes=None, periods=None))
    series.look()
    use = series.use(1.0, LIMITS)
    assert use is not None
    assert (use.cpu_s, use.cpu_share, use.memory_share, use.throttled_share, use.accept_queue) == (None,) * 5
    use = Series(path).use(1.0, LIMITS)
    assert use is None


def test_without_a_limit_there_is_no_share_of_one(path: Path) -> None:
    series = Series(path)
    path.write_text(line(1.0) + line(2.0))
    series.look()
    use = series.use(1.0, Limits())
    assert use is not None
    assert (use.cpu_share, use.memory_share) == (None, None)
    assert use.cpu_s == pytest.approx(0.2)


def test_old_lines_are_let_go(path: Path) -> None:
    series = Series(path)
    path.write_text("".join(line(float(n)) for n in range(100)))
    series.look()
    use = series.use(1_000.0, LIMITS)
    assert use is not None
    assert use.seconds == KEPT_S
