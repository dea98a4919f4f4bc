"""What a sweep has measured and what it asks for next, from the records on disk: it can be cut off at any moment.

A search is its trials: replaying those that are finished through `program()` gives its next question or its answer.
Hence nothing but the trials has to survive, and trials.csv and capacity.csv follow from them.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from testbed.errors import UserError
from testbed.files import write_atomically
from testbed.plan import redo, trials
from testbed.plan.estimate import expected_of
from testbed.plan.schema import Sweep
from testbed.plan.steps import Answer, program
from testbed.plan.trials import Trial
from testbed.results import reading
from testbed.results.directory import ResultsDirectory, csv_text, row_of

Row = dict[str, Any]


class Course:
    """The finished trials of a sweep, in the order in which they ran, and the answers of its searches."""

    def __init__(self, sweep: Sweep, directory: ResultsDirectory) -> None:
        self.rows: list[Row] = []
        self._sweep = sweep
        self._directory = directory
        self._entries = trials.trials(sweep)
        self._answers: dict[str, Answer] = {}
        self._unreadable: set[str] = set()
        """Trials that have a record which nobody can read: they are neither known nor measured over."""

    @property
    def answers(self) -> list[Answer]:
        """Of the searches that are over, in the plan's order."""
        return [self._answers[one.trial_id] for one in self._entries if one.trial_id in self._answers]

    @property
    def searches_over(self) -> str:
        """`, 2 of 6 searches are over`; empty without searches."""
        planned = len(trials.searches(self._sweep))
        return f", {len(self.answers)} of {planned} searches are over" if planned else ""

    @property
    def failed(self) -> list[Row]:
        """The trials that are invalid."""
        return [row for row in self.rows if row["status"] != "ok"]

    @property
    def is_complete(self) -> bool:
        """Whether nothing of the plan is left to measure, redos included."""
        owes = self._sweep.order.redo is not None and redo.owed(self.rows)
        return not owes and not self._left(set(), self._done())

    @property
    def lacks_trials(self) -> bool:
        """Whether there are trials that were measured and whose records cannot be read."""
        return bool(self._unreadable)

    @property
    def unanswered(self) -> list[Answer]:
        """Searches that are over and have found nothing out."""
        return [answer for answer in self.answers if not answer.capacity.answered]

    def take_up(self, facts: dict[str, Any]) -> list[str]:
        """Take over every finished trial that is on disk; `facts` is the manifest. Returns a line for each record that
        is broken: such a trial stays, and is not measured over. UserError where one is not what this sweep asks for.
        """
        found = reading.trials(self._directory.path, facts)
        # One that is only listed is measured again: whoever wants that moves its directory away.
        rows, self._unreadable = found.kept, found.unreadable
        place = {name: index for index, name in enumerate(self._listed())}
        rows.sort(key=lambda row: (place.get(row["trial_id"], len(place)), *self._place(row)))
        self.rows[:] = rows
        self.write_rows()
        done = self._done()
        for entry in self._entries:
            self._replay(entry, done)
        self._write_answers()
        unreadable = [self._directory.trial(name) for name in sorted(self._unreadable)]
        return [*found.problems, *(f"{path}: stays; move it away to have it measured again" for path in unreadable)]

    def _listed(self) -> list[str]:
        """The trials of trials.csv, which keep their order; after a crash some may be missing there."""
        return [row["trial_id"] for row in reading.table(self._directory.path / "trials.csv") if row.get("trial_id")]

    def _place(self, row: Row) -> tuple[int, int, int, float, str]:
        """Where a trial stands that trials.csv does not name: as the plan asks for it."""
        name = str(row["search_id"] or row["trial_id"])
        index = next((n for n, one in enumerate(self._entries) if one.trial_id == name), len(self._entries))
        share = row["share"]
        return index, int(share is not None), row["step"] or 0, share or 0.0, str(row["trial_id"])

    def _done(self) -> dict[str, Row]:
        return {row["trial_id"]: row for row in self.rows}

    def _replay(self, entry: Trial, done: dict[str, Row]) -> None:
        """Keep the answer of an entry all of whose trials are finished."""

        def finished(trial: Trial) -> Row:
            if (row := done.get(trial.trial_id)) is None:
                raise _NotFinished
            return self._checked(row, trial)

        with suppress(_NotFinished):
            self._follow(entry, finished)

    def _follow(self, entry: Trial, measure: Callable[[Trial], Row]) -> None:
        steps = program(entry, self._sweep)
        trial = next(steps)
        while True:
            row = measure(trial)
            try:
                trial = steps.send(row)
            except StopIteration as end:
                if end.value is not None:
                    self._answers[entry.trial_id] = end.value
                return

    def _checked(self, row: Row, trial: Trial) -> Row:
        """A finished trial of this name may be of an earlier version, whose searches asked for other rates."""
        if row["rate_rps"] != trial.cell.rate_rps:
            raise UserError(
                f"{self._directory.trial(trial.trial_id)}: measured at {row['rate_rps']} requests/s, asked for now is "
                f"{trial.cell.rate_rps}: the search of another version cannot be gone on with; its finished trials "
                "stay, run the sweep anew"
            )
        return row

    def run(
        self, entries: Iterable[Trial], measure: Callable[[Trial], Row], expect: Callable[[int], None] = lambda _: None
    ) -> None:
        """Follow these entries of the plan, and `measure` what is not finished; it has to `keep` the row it returns.

        `expect` is told before each entry about how many trials are still to come.
        """
        over: set[str] = set()
        for entry in entries:
            done = self._done()
            expect(self._left(over, done))

            def finished_or_measured(trial: Trial, done: dict[str, Row] = done) -> Row:
                if trial.trial_id in self._unreadable:
                    raise _NotFinished
                row = done.get(trial.trial_id)
                return measure(trial) if row is None else self._checked(row, trial)

            with suppress(_NotFinished):
                self._follow(entry, finished_or_measured)
            over.add(entry.trial_id)
            self._write_answers()

    def _left(self, over: set[str], done: dict[str, Row]) -> int:
        left = 0
        through = over | self._answers.keys() | done.keys() | self._unreadable
        for entry in self._entries:
            if entry.trial_id not in through:
                finished = sum(row["search_id"] == entry.trial_id for row in done.values())
                left += max(1, expected_of(entry, self._sweep) - finished)
        return left

    def keep(self, row: Row) -> None:
        """A trial is finished."""
        self.rows.append(row)
        self.write_rows()

    def settle(self, trial_id: str) -> None:
        """The trial was under way when something ended the sweep: without a record it goes, with one it counts."""
        self._directory.discard(trial_id)
        if trial_id not in self._done():
            record, _ = reading.trial_record(self._directory.trial(trial_id))
            if record is not None:
                self.keep(row_of(record))

    def write_rows(self) -> None:
        """Write trials.csv."""
        write_atomically(self._directory.path / "trials.csv", csv_text(self.rows))

    def _write_answers(self) -> None:
        path, rows = self._directory.path / "capacity.csv", [answer.row() for answer in self.answers]
        if rows:
            write_atomically(path, csv_text(rows, rows[0]))
        else:
            path.unlink(missing_ok=True)


class _NotFinished(Exception):
    """A trial that an answer needs is not there."""
