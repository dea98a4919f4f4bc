"""Sweeps on the fake engine, from the first step to the last."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from testbed.errors import Breakdown, UserError
from testbed.plan import sweepfile
from testbed.run import outcome, sweep
from testbed.stack import lock
from tests.unit.testbed.made_runs import MACHINE
from tests.unit.testbed.run.fake_engine import FakeEngine

# They stand in for ours, so that nothing is built.
IMAGES = {"spst": "some/server", "locust": "some/load", "probe": "some/probe"}


class Sweeping:
    """`fields`: the sweep file; three trials if nothing is changed."""

    def __init__(self, directory: Path) -> None:
        self.fields: dict[str, Any] = {"name": "t", "models": "spst", "repeat": 3, "images": IMAGES}
        self.engine = FakeEngine()
        self.results_root = directory / "results"

    @property
    def results(self) -> Path:
        (directory,) = self.results_root.iterdir()
        return directory

    def run(self, console: Console | None = None) -> tuple[int | Exception, str]:
        """The exit code, or what was raised, and what was printed."""
        parsed = sweepfile.parse(yaml.dump(self.fields, Dumper=yaml.CSafeDumper), Path("t.yaml"), MACHINE)
        return self._told(lambda shown: sweep.run(parsed, "", self.results_root, shown, self.engine), console)

    def resume(self, force: bool = False) -> tuple[int | Exception, str]:
        """The same of `sweep --resume`."""
        return self._told(lambda shown: sweep.resume(self.results, force, shown, self.engine), None)

    def _told(self, work: Any, console: Console | None) -> tuple[int | Exception, str]:
        text = io.StringIO()
        try:
            code: int | Exception = work(console or Console(file=text, width=200))
        except (Breakdown, UserError) as error:
            code = error
        return code, text.getvalue()

    def finished(self) -> list[str]:
        return sorted(path.parent.name[:6] for path in self.results.glob("trials/*/trial.json"))


@pytest.fixture
def sweeping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sweeping]:
    """A lock of its own, and no page at the end; that files reach the disk is not what is tested here."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(lock, "PATH", tmp_path / "lock")
    monkeypatch.setattr(outcome.after, "after_sweep", lambda *_: None)
    monkeypatch.setattr("os.fsync", lambda _: None)
    made = Sweeping(tmp_path)
    yield made
    made.engine.close()
