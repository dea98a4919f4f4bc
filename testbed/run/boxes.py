"""What a trial measures: its containers while they run, and what is found out about each."""

import contextlib
import time
from collections.abc import Mapping

from testbed.files import write_atomically, write_json
from testbed.judge import holding, shape
from testbed.plan.cells import Cell
from testbed.results.boxes import box_file
from testbed.results.directory import ResultsDirectory
from testbed.results.record import Seen, exit_report
from testbed.stack import system
from testbed.stack.docker import ContainerGone, Engine, RunningBox
from testbed.stack.services import Stack

# How often a file or a container that is waited for is looked after.
INTERVAL_S = 0.05
# The probe writes its summary right after the window; on a machine that is full it may have to wait for a turn.
PROBE_TIMEOUT_S = 5.0


class TrialFailed(Exception):
    """The trial cannot be completed. The message is the reason its record carries."""


class BoxEnded(TrialFailed):
    """What is measured ended before it was asked to. `name`: of its service."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(message)
        self.name = name


class Boxes:
    """The services of a trial that a probe looks into, by name."""

    def __init__(self, stack: Stack, trial_id: str) -> None:
        measured = system.measured(stack)
        self.seen = {service.name: Seen.of(service) for service in measured}
        self._trial_id = trial_id
        self._outputs = system.output_names(trial_id, measured)
        self._running: dict[str, RunningBox] = {}

    def take(self, engine: Engine, run_id: str) -> list[str]:
        """Find their containers; what those are called that are not there."""
        for name in self.seen:
            with contextlib.suppress(ContainerGone):
                self._running[name] = engine.server(run_id, name)
        return [self._called(name) for name in self.seen if name not in self._running]

    def pids(self) -> list[int]:
        """The first process of each, on the engine's machine."""
        return [server.pid for server in self._running.values()]

    def fail_if_ended(self, when: str) -> None:
        """BoxEnded where one of them does not run any more."""
        for name, server in self._running.items():
            if (ended := server.exit()) is not None:
                raise BoxEnded(name, f"{self._called(name)} ended {when}: {ended}")

    def _called(self, name: str) -> str:
        role = self.seen[name].role
        return role if len(self.seen) == 1 else f"{role} {name}"

    @property
    def servers(self) -> list[str]:
        """The servers' names, in the order in which they start."""
        return [seen.name for seen in self.seen.values() if seen.role == "server"]

    def shape_mismatch(self, name: str, cell: Cell, connections: int) -> str:
        """How this server, which holds so many connections, differs from its model; empty when it does not."""
        processes, threads = self._running[name].tasks()
        mismatch = shape.check(cell.model, connections, cell.workers, cell.threads, processes, threads)
        return f"{name}: {mismatch}" if mismatch and len(self.servers) > 1 else mismatch

    def tell_window(self, directory: ResultsDirectory, window: Mapping[str, float]) -> None:
        """Tell every probe when the window opens and closes."""
        for output in self._outputs.values():
            write_json(directory.load / f"{output}.window.json", window)

    def wait_for_probes(self, directory: ResultsDirectory) -> None:
        """Until each has written its summary, but for those whose box has ended; PROBE_TIMEOUT_S at most."""
        deadline = time.monotonic() + PROBE_TIMEOUT_S
        waiting = dict(self._outputs)
        while waiting and time.monotonic() < deadline:
            for name, output in self._outputs.items():
                if name in waiting and self._is_told(directory, name, output):
                    del waiting[name]
            if waiting:
                time.sleep(INTERVAL_S)

    def _is_told(self, directory: ResultsDirectory, name: str, output: str) -> bool:
        return (directory.load / f"{output}.probe.json").exists() or self._running[name].exit() is not None

    def take_probes(self, directory: ResultsDirectory) -> bool:
        """Take what the probes have written to the trial's directory. Whether each of them has."""
        for name, output in self._outputs.items():
            place = self._file(name, "probe.json")
            self.seen[name].probe = directory.take_json(self._trial_id, f"{output}.probe.json", place)
        return all(seen.probe is not None for seen in self.seen.values())

    def stop(self, directory: ResultsDirectory) -> None:
        """Stop those that run, keep their logs, and note what these say."""
        for name, server in self._running.items():
            log = server.stop()
            write_atomically(directory.trial(self._trial_id) / self._file(name, "server.log"), log)
            self.seen[name].report = exit_report(log)
            self.seen[name].said = holding.said(log)

    def _file(self, name: str, kind: str) -> str:
        return box_file(name, kind, len(self.seen))
