"""Workers on machines whose clocks differ from the master's: a run is the same moment for all of them."""

from pathlib import Path

import pytest

from tests.integration.loadtests.locust_stack import locust_stack
from tests.integration.servers.running import server

# By the clock: with nothing else beside it.
pytestmark = pytest.mark.timed

# Where a program that starts finds it, its clock is another one.
_OTHER_CLOCK = """import os, time
_true, _ahead_s = time.time, float(os.environ["AHEAD_S"])
time.time = lambda: _true() + _ahead_s
"""


@pytest.mark.parametrize("ahead_s", [-30.0, 30.0])
def test_a_worker_whose_clock_is_another_one_works_in_the_same_window(tmp_path: Path, ahead_s: float) -> None:
    """By its own clock the window would be over before it began, or begin when the others' is over."""
    (tmp_path / "sitecustomize.py").write_text(_OTHER_CLOCK)
    with server("spmt") as spmt, locust_stack({"spmt": spmt.port}, tmp_path, workers=1) as stack:
        stack.add_worker(PYTHONPATH=str(tmp_path), AHEAD_S=str(ahead_s))
        stack.wait_ready(2)
        result = stack.run("apart", target="spmt", mode="open", rate=200, users=4)
    # A slot at the very edge may fall to either side of it.
    assert result["offered"] == pytest.approx(200 * 0.6, abs=1)
    assert result["ok"] == pytest.approx(result["offered"], abs=1)
    (same, other) = sorted(result["master_clocks"], key=lambda clock: abs(clock["ahead_s"]))
    assert same["applied_s"] == 0.0
    assert other["applied_s"] == other["ahead_s"] == pytest.approx(-ahead_s, abs=0.1)
    assert 0 < other["uncertain_s"] < 0.1
