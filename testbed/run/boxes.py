"""What a trial measures: its containers while they run, and what is found out about each."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from testbed.files import write_atomically, write_json
from testbed.judge import holding, shape
from testbed.plan.cell import Cell
from testbed.plan.trials import Trial
from testbed.results.boxes import box_file
from testbed.results.directory import ResultsDirectory
from testbed.results.findings import Seen, exit_report
from testbed.stack import system
from testbed.stack.engine import Box, ContainerGone, Engine
from testbed.stack.naming import PROBE_PREFIX
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


def _probe(name: str) -> str:
    """The service that watches a box."""
    return f"{PROBE_PREFIX}{name}"


def _not_there(name: str) -> Box:
    """Nothing is started yet."""
    raise ContainerGone(name)


class Boxes:
    """The services of a trial that a probe looks into, by name: those that start with it, and those that may join."""

    def __init__(self, stack: Stack, trial: Trial) -> None:
        measured = system.measured(stack)
        self._services = {service.name: service for service in measured}
        self._trial_id = trial.trial_id
        self._window: Mapping[str, float] = {}
        self._single = system.is_alone(trial, measured)
        self._outputs = system.output_names(trial, measured)
        self._running: dict[str, Box] = {}
        self._find: Callable[[str], Box] = _not_there
        self._engine: Engine
        self._run_id = ""
        self.seen = {service.name: Seen.of(service) for service in measured if not service.joins_later}
        """What is found out about each that was started."""

    def take(self, engine: Engine, run_id: str) -> list[str]:
        """Find their containers; what those are called that are not there."""
        self._engine, self._run_id = engine, run_id
        self._find = lambda name: engine.server(run_id, name)
        for name in self.seen:
            with contextlib.suppress(ContainerGone):
                self._running[name] = self._find(name)
        return [self._called(name) for name in self.seen if name not in self._running]

    def join(self, name: str, directory: ResultsDirectory) -> None:
        """A service that was started while the load is on. ContainerGone where it is not there."""
        running = self._find(name)
        self.seen[name] = Seen.of(self._services[name])
        self.seen[name].joined = True
        self._running[name] = running
        self._hand_in_window(name, directory)

    def pids(self) -> list[int]:
        """The first process of each, on the engine's machine."""
        return [box.pid for box in self._running.values()]

    def running(self, name: str) -> Box:
        """The container of a service that was started. KeyError for another."""
        return self._running[name]

    def fail_if_ended(self, when: str) -> None:
        """BoxEnded where one of them does not run any more, which was not told to end."""
        for name, said in self._ended(when):
            raise BoxEnded(name, said)

    def note_ended(self, when: str) -> None:
        """The same; but while other servers live, one that has ended is noted, and they go on."""
        for name, said in self._ended(when):
            others = [one for one in self._in_service() if one != name and self.seen[one].role == "server"]
            # Others take what a consumer leaves; and one that was asked to crash has done so.
            may_end = self.seen[name].role == "consumer" or self.seen[name].crashes
            if not may_end and (self.seen[name].role != "server" or not others):
                raise BoxEnded(name, said)
            self.seen[name].ended = said

    def note_all_ended(self, when: str) -> None:
        """Note each that does not run any more and was not told to end: nothing is left that could fail by it."""
        for name, said in self._ended(when):
            self.seen[name].ended = said

    def _ended(self, when: str) -> Iterator[tuple[str, str]]:
        """The name of each that has ended without being told to, and how, in words."""
        for name in self._in_service():
            if (ended := self._running[name].exit()) is not None:
                yield name, f"{self._called(name)} ended {when}: {ended}"

    def _in_service(self) -> list[str]:
        return [name for name in self._running if not self.seen[name].removed and not self.seen[name].ended]

    def _called(self, name: str) -> str:
        role = self.seen[name].role
        return role if self._single or role == name else f"{role} {name}"

    @property
    def servers(self) -> list[str]:
        """The servers' names, in the order in which they started."""
        return [seen.name for seen in self.seen.values() if seen.role == "server"]

    def shape_mismatch(self, name: str, cell: Cell, connections: int) -> str:
        """How this server, which holds so many connections, differs from its model; empty when it does not."""
        processes, threads = self._running[name].tasks()
        mismatch = shape.check(cell.model, connections, cell.workers, cell.threads, processes, threads)
        return f"{name}: {mismatch}" if mismatch and len(self.servers) > 1 else mismatch

    def tell_window(self, directory: ResultsDirectory, window: Mapping[str, float]) -> None:
        """Tell every probe when the window opens and closes by its own clock, also those that may come yet. `window`:
        times of this machine, in seconds since 1970."""
        self._window = window
        for name in self._outputs:
            self._hand_in_window(name, directory)

    def _hand_in_window(self, name: str, directory: ResultsDirectory) -> None:
        """Also for one that is not there yet: where it shares this directory it finds it."""
        if not self._window:
            return
        ahead_s = self._engine.clock_ahead_s(_probe(name))
        file = directory.load / f"{self._outputs[name]}.window.json"
        write_json(file, {edge: at + ahead_s for edge, at in self._window.items()})
        if name in self._running:
            self._engine.hand_in(self._run_id, _probe(name), file)

    def _bring(self, name: str, directory: ResultsDirectory, *ends: str) -> None:
        """Have the files of these endings that the probe beside a box has written."""
        names = [f"{self._outputs[name]}.{end}" for end in ends]
        self._engine.bring(self._run_id, _probe(name), directory.load, names)

    def wait_for_probes(self, directory: ResultsDirectory) -> None:
        """Until each has written its summary, but for those whose box has ended; PROBE_TIMEOUT_S at most."""
        deadline = time.monotonic() + PROBE_TIMEOUT_S
        waiting = set(self.seen)
        while waiting and time.monotonic() < deadline:
            waiting -= {name for name in waiting if self._is_told(directory, name)}
            if waiting:
                time.sleep(INTERVAL_S)

    def _is_told(self, directory: ResultsDirectory, name: str) -> bool:
        self._bring(name, directory, "probe.json")
        return self.summary(directory, name).exists() or self._running[name].exit() is not None

    def summary(self, directory: ResultsDirectory, name: str) -> Path:
        """Where the probe beside a box writes its summary, whole, once it is done."""
        return directory.load / f"{self._outputs[name]}.probe.json"

    def series(self, directory: ResultsDirectory, name: str) -> Path:
        """What the probe beside a box has written so far, where it is one that can be read along."""
        return directory.load / f".{self._outputs[name]}.probe.ndjson.partial"

    def bring_series(self, directory: ResultsDirectory, name: str) -> None:
        """Have what the probe beside a box has written so far, where that is on another machine."""
        self._engine.bring(self._run_id, _probe(name), directory.load, [self.series(directory, name).name])

    def take_probes(self, directory: ResultsDirectory) -> bool:
        """Take what the probes have written to the trial's directory. Whether each of them has."""
        for name, seen in self.seen.items():
            self._bring(name, directory, "probe.json", "probe.ndjson")
            place = self._file(name, "probe.json")
            seen.probe = directory.take_json(self._trial_id, f"{self._outputs[name]}.probe.json", place)
        return all(seen.probe is not None for seen in self.seen.values())

    def limited(self, name: str, cpus: float | None, memory_bytes: int | None) -> None:
        """Its limits were set anew. What is judged by a limit is judged by the greatest that was in force."""
        limits = self.seen[name].limits
        self.seen[name].limits = replace(
            limits,
            cpus=limits.cpus if cpus is None else max(cpus, limits.cpus or cpus),
            memory_bytes=limits.memory_bytes if memory_bytes is None else max(memory_bytes, limits.memory_bytes or 0),
        )

    def remove(self, name: str, directory: ResultsDirectory) -> None:
        """Stop one that is not needed any more; its probe first, which else would end with it and tell nothing."""
        with contextlib.suppress(ContainerGone):
            self._bring(name, directory, "probe.json", "probe.ndjson")
            self._find(_probe(name)).stop()
        if self._running[name].exit() is None:
            self.seen[name].removed = True
        self._stop(name, directory)

    def kill(self, name: str) -> None:
        """End one by SIGKILL, on purpose; its container stays until the trial is over."""
        self.seen[name].killed = True
        self._running[name].kill()

    def freeze(self, name: str) -> None:
        """Have one stand still, on purpose. UserError where the engine refuses."""
        self._running[name].freeze()
        self.seen[name].frozen = True

    def thaw(self, name: str) -> None:
        """Have it go on, where it stands still."""
        if self.seen[name].frozen:
            self._running[name].thaw()
            self.seen[name].frozen = False

    def stop(self, directory: ResultsDirectory) -> None:
        """Stop those that run, keep their logs, and note what these say. What is behind the servers comes last, brokers
        after their consumers, so that nobody loses what it still needs."""
        last = {"consumer": 1, "broker": 2, "store": 2}
        for name in sorted(self._running, key=lambda one: last.get(self.seen[one].role, 0)):
            if not self.seen[name].removed:
                self._stop(name, directory)

    def _stop(self, name: str, directory: ResultsDirectory) -> None:
        # What stands still takes no signal.
        self.thaw(name)
        if self.seen[name].role in ("store", "broker"):
            # It has nothing to save, and some take seconds to end in order.
            self._running[name].kill()
        log = self._running[name].stop()
        write_atomically(directory.trial(self._trial_id) / self._file(name, "server.log"), log)
        self.seen[name].report = exit_report(log)
        self.seen[name].said = holding.said(log)

    def _file(self, name: str, kind: str) -> str:
        return box_file(name, kind, self._single)
