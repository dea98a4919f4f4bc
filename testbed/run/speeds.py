"""How fast the servers' processors are: when a sweep begins, which fixes its work; in each block, which shows drift."""

from contextlib import suppress
from typing import Any

from servers.models import MODELS
from testbed.errors import UserError
from testbed.plan import calibration as calibrating
from testbed.plan.schema import Sweep
from testbed.results.manifest import calibrate
from testbed.stack.engine import Engine
from testbed.stack.run import Run


class Speeds:
    """The calibrations of one run of a sweep; none where it asks for no calibrated work."""

    def __init__(self, engine: Engine, run: Run, sweep: Sweep) -> None:
        self.calibration: dict[str, Any] | None = None
        """Of the sweep's beginning: the work of all its trials."""
        self._engine = engine
        self._run = run
        self._sweep = sweep
        self._kinds = calibrating.kinds(sweep)
        # The work unit is ours: an image that stands in for one of ours need not know it.
        self._model = next((model for model in sweep.models if model not in sweep.images), MODELS[0])
        self.readings: list[dict[str, Any]] = []
        """Every one of them: the fastest moment of all bounds what a request can cost."""
        self._block: int | None = None
        self._in_block: dict[str, Any] | None = None

    @property
    def images(self) -> list[str]:
        """What calibrating runs in."""
        return [self._model] if self._kinds else []

    def begin(self) -> None:
        """Calibrate a sweep that begins. UserError where a server would not take on the work that it comes to."""
        self.calibration = self._read(calibrating.SECONDS)
        calibrating.check_work(self._sweep, self.calibration)
        self._block, self._in_block = 1, self.calibration

    def go_on(self, calibration: dict[str, Any] | None) -> None:
        """Take over the calibration of a sweep that was cut off."""
        self.calibration = calibration
        self.readings += [calibration] if calibration is not None else []

    def in_block(self, block: int) -> dict[str, Any] | None:
        """The calibration read again, once a block: how far the machine has drifted. The work stays as it is."""
        if block != self._block and self.calibration is not None:
            self._block = block
            try:
                self._in_block = self._read(calibrating.BLOCK_SECONDS)
            except UserError:
                self._in_block = None
        return self._in_block

    def again(self) -> None:
        """Read it once more, now; without an answer there is no further reading."""
        if self.calibration is not None:
            with suppress(UserError):
                self._read(calibrating.BLOCK_SECONDS)

    def _read(self, seconds: float) -> dict[str, Any]:
        self.readings.append(calibrate(self._engine, self._run, self._model, self._kinds, seconds))
        return self.readings[-1]
