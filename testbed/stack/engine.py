"""What a sweep asks of whatever runs its containers, be it one engine or a cluster of them."""

import contextlib
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from testbed.stack.cpus import CpuSets
from testbed.stack.services import Stack


class ContainerGone(Exception):
    """The container does not exist any more."""


@dataclass(frozen=True)
class Exit:
    """How a container ended."""

    code: int
    oom_killed: bool
    lost: str = ""
    """Why nothing is known of it any more."""

    def __str__(self) -> str:
        if self.lost:
            return self.lost
        cause = ", out of memory" if self.oom_killed else ""
        if self.code > 128 and not cause:
            with contextlib.suppress(ValueError):
                cause = f", {signal.Signals(self.code - 128).name}"
        return f"exit code {self.code}{cause}"


@dataclass(frozen=True)
class LaidOut:
    """A stack that was written down: the file that starts it again, and its records."""

    file: Path
    stack: Stack


class Box(Protocol):
    """A container that was started."""

    @property
    def id(self) -> str:
        """What its engine calls it."""

    @property
    def pid(self) -> int:
        """The process id of its first process on the engine's machine, as of the last look at it."""

    @property
    def address(self) -> str:
        """Its address in the network it is in, as of the last look at it; empty where it is in none."""

    def tasks(self) -> tuple[int, int]:
        """How many processes and how many threads in all it has now, counted from outside."""

    def exit(self) -> Exit | None:
        """How it ended, or None while it runs."""

    def kill(self) -> None:
        """End it by SIGKILL, and leave it where it is."""

    def freeze(self) -> None:
        """From now on none of its processes runs; their connections stay. UserError where the engine refuses."""

    def thaw(self) -> None:
        """They run again."""

    def stop(self) -> str:
        """Stop it with SIGTERM, then SIGKILL; remove it, and return its log."""


class Engine(Protocol):
    """Touches only what carries the label of a run.

    Everything raises EngineGone where there is no answer any more, and EngineError where what was asked for failed.
    """

    @property
    def cpus(self) -> int:
        """That servers can have together."""

    @property
    def memory_bytes(self) -> int:
        """That servers can have together."""

    @property
    def networks(self) -> tuple[str, ...]:
        """The kinds of network that servers can be in, as a sweep file names them, the usual one first."""

    @property
    def is_here(self) -> bool:
        """Whether containers run on this very kernel, and not on another machine or in a virtual one."""

    def keep_open(self, descriptor: int) -> None:
        """Let every command that is started inherit this descriptor."""

    def wait_until_back(self, patience_s: float) -> None:
        """Return as soon as it answers again, by this many seconds in any case."""

    def facts(self) -> dict[str, Any]:
        """What the manifest records of it."""

    def cpu_sets(self, server_cpus: float, load_workers: int) -> CpuSets:
        """Disjoint processors for servers that use so many CPUs, for so many load workers, and for the rest."""

    def image_id(self, image: str) -> str | None:
        """The image's content id, or None when it does not exist here."""

    def bring_images(self, images: Sequence[str], say: Callable[[str], None]) -> None:
        """Have these images wherever they are to run. UserError where that cannot be."""

    def run_once(self, image: str, command: list[str], run_id: str, cpuset: str | None) -> str:
        """What a short command prints in a fresh container without limits, where servers run, on these processors.

        UserError if it fails.
        """

    def lay_out(self, stack: Stack, directory: Path, load: Path) -> LaidOut:
        """Write into this directory what starts the stack; `load` is where load and probes are to write."""

    def up(self, laid: LaidOut, services: Sequence[str]) -> None:
        """Create and start these services, and no other. UserError where that fails for a reason that is not the
        engine's own."""

    def server(self, run_id: str, service: str) -> Box:
        """The container of a service of this run. ContainerGone if there is none."""

    def published(self, run_id: str, service: str, port: int) -> tuple[str, int]:
        """Host and port at which a service's port answers the caller. ContainerGone if it does not run."""

    def pids(self, run_id: str) -> list[int]:
        """The first process of each of the run's containers that run on this very kernel."""

    def set_limits(self, container_id: str, cpus: float | None, memory_bytes: int | None) -> None:
        """Of a running container; None leaves one as it is. UserError where the engine refuses."""

    def clock_ahead_s(self, service: str) -> float:
        """By how much the clock of the machine on which a service runs is ahead of the caller's."""

    def hand_in(self, run_id: str, service: str, file: Path) -> None:
        """Have this file where the service finds it in its store. Nothing to do where that is the file's directory."""

    def bring(self, run_id: str, service: str, directory: Path, names: Sequence[str]) -> None:
        """Have these files of a service's store in this directory, those that are there. Nothing to do where it is the
        store."""

    def ended(self, run_id: str) -> list[str]:
        """What of the run does not run any more, by name."""

    def cluster(self) -> dict[str, Any] | None:
        """How several machines are reached, and how their clocks differ; None of a single engine."""

    def trouble(self, lost: Sequence[str] = ()) -> str:
        """What keeps machines of it from working, and where these containers were, by their host names, in words; empty
        where nothing does and there is but one machine."""

    def logs(self, run_id: str) -> dict[str, str]:
        """The logs of every container of the run, by container name."""

    def remove(self, run_id: str) -> None:
        """Remove everything that carries the run's label, and nothing else. Idempotent."""

    def remove_trial(self, run_id: str, trial_id: str) -> None:
        """Remove whatever there is of a trial. Idempotent."""

    def load_is_gone(self, run_id: str) -> bool:
        """Whether not one of the containers runs that are up across all trials: no trial ends those."""

    def runs(self) -> dict[str, int]:
        """The runs that have something here, with how much."""
