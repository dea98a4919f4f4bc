"""The end of a sweep: what was set up is undone, the last first, whatever failed; and why it failed is told."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from testbed.errors import EngineGone, UserError, attempt, describe, distinct
from testbed.interrupt import undisturbed
from testbed.stack.engine import Engine

# An engine that its supervisor starts again is back by then, and what it has left can be removed.
ENGINE_PATIENCE_S = 10.0


class Ending:
    """Around the work of a sweep, as a context manager. Who sets something up says right there how it is undone.

    On the way out every such step is tried, undisturbed by interrupts. What ended the work is kept here and not raised:
    it is told once everything is undone.
    """

    def __init__(self, engine: Engine, say: Callable[[str], None]) -> None:
        self.interrupted = False
        self.refused: UserError | None = None
        """What has to be put right before anything can be measured."""
        self.failures: list[Exception] = []
        """What failed and is no trial's doing; the first is the cause."""
        self.containers_left = False
        self._engine = engine
        self._say = say
        self._undo = ExitStack()

    def later(self, step: Callable[[], object]) -> None:
        """Undo it with this, before everything that was said earlier."""
        self._undo.callback(self.attempt, step)

    def remove_later(self, run_id: str) -> None:
        """From now on the run may have containers and networks, which go at the end."""
        self.containers_left = True
        self.later(partial(self._remove, run_id))

    def attempt(self, step: Callable[[], object]) -> None:
        """Try it; what fails is kept among the failures."""
        self.failures += attempt(step)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        with undisturbed():
            kept = self._keep(error)
            if isinstance(error, EngineGone):
                self.attempt(partial(self._engine.wait_until_back, ENGINE_PATIENCE_S))
            if self.interrupted:
                self.attempt(partial(self._say, "stopping: removing this run's containers ..."))
            self._undo.close()
        return kept

    def _keep(self, error: BaseException | None) -> bool:
        """Whether it is what a sweep can end with; anything else is raised in the end."""
        if isinstance(error, KeyboardInterrupt):
            self.interrupted = True
        elif isinstance(error, UserError):
            self.refused = error
        elif isinstance(error, Exception):
            self.failures.append(error)
        else:
            return False
        return True

    def _remove(self, run_id: str) -> None:
        self._engine.remove(run_id)
        self.containers_left = False

    @contextmanager
    def keeping_failures(self) -> Iterator[None]:
        """What fails inside is kept among the failures: what is told at the end must not hide why it came to that."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - told with what failed before it
            self.failures.append(error)

    def raise_refusal(self) -> None:
        """UserError where nothing could be measured: why, in a line; then one for each step that failed after it."""
        if self.refused is not None:
            raise UserError("\n".join(distinct(map(describe, [self.refused, *self.failures]))))

    def told(self, path: Path) -> list[str]:
        """What failed and how to go on with the results in `path`, in a line; in a second one what failed after it."""
        # A dead engine is met at every later step: what matters of that is what it has left.
        later = [error for error in self.failures[1:] if not isinstance(error, EngineGone)]
        first, *others = distinct(map(describe, [self.failures[0], *later]))
        line = [f"the testbed failed: {first}"]
        if self.containers_left:
            line.append("containers are left, which the next sweep removes, or `orchestrate.py down --runs`")
        if path.is_dir():
            line.append(f"to go on: .venv/bin/python orchestrate.py sweep --resume {path}")
        else:
            line.append("nothing had been measured: start it again")
        return ["; ".join(line), *([f"besides: {'; '.join(others)}"] if others else [])]
