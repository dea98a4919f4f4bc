"""What a sweep shows while it runs: a bar on a terminal, a line per event elsewhere."""

import time
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from testbed.plan.trials import Trial
from testbed.terminal import plain
from testbed.units import format_clock, format_us


def trial_line(row: dict[str, Any]) -> str:
    """One finished trial in words: its id, then what it gave or why it failed."""
    if row["status"] != "ok":
        return f"{row['trial_id']}: failed: {row['reasons']}"
    p99 = row["latency_p99_us"]
    text = f"{row['trial_id']}: {row['throughput_rps']:.0f}/s, p50 {format_us(row['latency_p50_us'])}"
    text += f", p99 {format_us(p99)}" if p99 is not None else ""
    text += f", {row['users_starved']} users starved" if row["users_starved"] else ""
    text += f", {row['failed']} failed" if row["failed"] else ""
    return text + (", disturbed" if row.get("disturbed") else "")


class SweepProgress:
    """Context manager around a sweep's trials. On a terminal a live bar; elsewhere a plain line per finished trial."""

    def __init__(self, console: Console, count: int, expected_s: float) -> None:
        self._console = console
        self._count = count
        self._expected_trial_s = expected_s / max(1, count)
        self._done = 0
        self._failed = 0
        self._began = time.monotonic()
        self._bar: Progress | None = None
        if console.is_terminal:
            columns = (
                BarColumn(20),
                MofNCompleteColumn(),
                TextColumn("{task.fields[left]}"),
                TextColumn("{task.description}"),
            )
            self._bar = Progress(*columns, console=console, transient=True)
            self._task = self._bar.add_task("", total=count, left="")

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _left(self) -> str:
        elapsed = time.monotonic() - self._began
        each = elapsed / self._done if self._done else self._expected_trial_s
        return f"{format_clock((self._count - self._done) * each)} left"

    def phase(self, trial: Trial, name: str) -> None:
        """The trial under way has come to this phase."""
        if self._bar is not None:
            failed = f"[red]{self._failed} failed[/] " if self._failed else ""
            self._bar.update(self._task, description=f"{failed}{escape(trial.trial_id)} {name}", left=self._left())

    def expect(self, left: int) -> None:
        """So many trials are still to come: what is there already is not, and a search may be shorter or longer."""
        self._count = self._done + left
        if self._bar is not None:
            self._bar.update(self._task, total=self._count)

    def finished(self, row: dict[str, Any]) -> None:
        """A trial has ended, well or not."""
        self._done += 1
        self._count = max(self._count, self._done)
        self._failed += row["status"] != "ok"
        line = trial_line(row)
        if self._bar is None:
            plain(self._console)(f"[{self._done}/{self._count}, {self._left()}] {line}")
        else:
            style = None if row["status"] == "ok" else "red"
            self._bar.console.print(line, style=style, markup=False, highlight=False)
            self._bar.update(self._task, completed=self._done, left=self._left())
