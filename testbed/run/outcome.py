"""What a sweep says and writes when it has ended: summary, tables, what failed, the report, and where all of it is."""

from dataclasses import dataclass
from functools import partial
from statistics import median

from rich.console import Console

from testbed import exits
from testbed.files import write_json
from testbed.plan import cells, redo, trials
from testbed.plan.schema import Sweep
from testbed.report import after
from testbed.results.directory import ResultsDirectory
from testbed.results.summary import summary
from testbed.results.table import capacity_table, fitting_table, legend
from testbed.run.course import Course
from testbed.run.ending import Ending
from testbed.terminal import plain

# More lines than this push the table out of sight.
MOST_WARNINGS = 6


@dataclass(frozen=True)
class Outcome:
    """What has been measured, and how the work on it ended."""

    sweep: Sweep
    directory: ResultsDirectory
    course: Course
    ending: Ending
    console: Console

    def report(self) -> int:
        """Print table, failures, overhead and, last, where the results are. Returns the exit code."""
        rows = self.course.rows
        if rows:
            self._summarise()
        self._tell_failures()
        if not self.directory.path.is_dir():
            if self.ending.interrupted:
                self._say("interrupted before anything was measured; nothing is left")
            return exits.INTERRUPTED if self.ending.interrupted else exits.BROKEN
        self._tell_how_far()
        if rows:
            after.after_sweep(self.directory.path, self._say)
        self._say(f"results: {self.directory.path}")
        if self.ending.interrupted:
            return exits.INTERRUPTED
        return exits.FAILED if self._lacking() else exits.OK

    def _say(self, line: str) -> None:
        plain(self.console)(line)

    def _summarise(self) -> None:
        """summary.json, and of it what belongs on a terminal."""
        sweep, rows, answers = self.sweep, self.course.rows, self.course.answers
        found = summary(rows, sweep.order.seed, [answer.row() for answer in answers], sweep.models)
        self.ending.attempt(partial(write_json, self.directory.path / "summary.json", found))
        shown = [] if sweep.load.slo and not sweep.load.at else cells.measured_cells(sweep, rows)
        if shown:
            title = f"{sweep.name}: medians of the {sweep.duration / 1e6:g} s window"
            self.console.print(fitting_table(title, shown, rows, self.console))
            for line in legend({row["verdict"] for row in rows}, any(row.get("disturbed") for row in rows)):
                self._say(line)
        if answers:
            self.console.print(capacity_table(f"{sweep.name}: capacity", answers))
        for line in found["warnings"][:MOST_WARNINGS]:
            self._say(f"warning: {line}")
        if len(found["warnings"]) > MOST_WARNINGS:
            self._say(f"warning: {len(found['warnings']) - MOST_WARNINGS} more in summary.json")

    def _tell_failures(self) -> None:
        for row in self.course.failed:
            self._say(f"failed: {row['trial_id']}: {row['reasons']}")
        for answer in self.course.unanswered:
            self._say(f"not answered: {answer.trial.trial_id}: {answer.capacity.reason}")
        finished = [float(row["overhead_s"]) for row in self.course.rows if row["status"] == "ok"]
        if finished:
            spread = f"median {median(finished):.1f} s, most {max(finished):.1f} s"
            self._say(f"overhead per trial beyond warm-up and window: {spread}")

    def _tell_how_far(self) -> None:
        rows, failed, interrupted = self.course.rows, self.course.failed, self.ending.interrupted
        planned = "" if self.sweep.load.slo else f" of {len(trials.trials(self.sweep))}"
        again = sum(map(redo.is_redo, rows))
        ended = f"{len(rows) - again}{planned} trials finished{f', {again} measured again' if again else ''}"
        ended += self.course.searches_over
        self._say(
            f"{'interrupted: ' if interrupted else ''}{ended}{f', {len(failed)} of them failed' if failed else ''}"
        )
        if interrupted:
            for line in self.ending.told(self.directory.path) if self.ending.failures else ():
                self._say(f"warning: {line}")
            self._say(f"to complete it: .venv/bin/python orchestrate.py sweep --resume {self.directory.path}")

    def _lacking(self) -> bool:
        """Whether something that was asked for is not there. An invalid step of a search was measured again: what
        counts is whether the search has its answer."""
        counts = redo.counted(self.course.rows)
        invalid = any(row["step"] is None and row in counts for row in self.course.failed)
        return bool(self.course.unanswered) or invalid or self.course.lacks_trials
