"""Probes beside several containers at once: which there are follows what runs, and each line comes as it is read."""

import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any, Protocol, Self

from testbed.stack.engine import ContainerGone
from testbed.watch.target import Target

Line = dict[str, Any]


class Probes(Protocol):
    """As far as this needs `Beside`."""

    def probe(
        self, target: Target, interval_s: float, cpuset: str | None
    ) -> AbstractContextManager[Iterator[Line]]: ...

    def rest_cpuset(self, target: Target) -> str | None: ...


class Together:
    """Context manager. Probes are started and removed by the thread that calls; a thread for each reads its lines."""

    def __init__(self, engine: Probes, interval_s: float) -> None:
        self._engine = engine
        self._interval_s = interval_s
        self._probes: dict[str, ExitStack] = {}
        self._targets: dict[str, Target] = {}
        # A line, its end, or what went wrong.
        self._told: queue.SimpleQueue[tuple[str, Line | BaseException | None]] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with ExitStack() as all_of_them:
            for probe in self._probes.values():
                all_of_them.push(probe)

    @property
    def watched(self) -> list[Target]:
        """Those that have a probe now."""
        return list(self._targets.values())

    def follow(self, targets: Sequence[Target]) -> None:
        """Start a probe beside each of these that has none. One whose container has ended already is left out.

        UserError where a probe cannot be started.
        """
        for target in targets:
            if target.container_id in self._probes:
                continue
            with ExitStack() as stack:
                try:
                    lines = stack.enter_context(
                        self._engine.probe(target, self._interval_s, self._engine.rest_cpuset(target))
                    )
                except ContainerGone:
                    continue
                name = f"probe beside {target.name}"
                threading.Thread(target=self._read, args=(target, lines), name=name, daemon=True).start()
                self._targets[target.container_id] = target
                self._probes[target.container_id] = stack.pop_all()

    def next(self, timeout_s: float) -> tuple[Target, Line] | None:
        """The next line of any of them; None where none came in time, or where one has ended.

        UserError where a probe has ended and its container has not.
        """
        try:
            container_id, told = self._told.get(timeout=max(0.0, timeout_s))
        except queue.Empty:
            return None
        if isinstance(told, dict):
            return self._targets[container_id], told
        self._targets.pop(container_id)
        self._probes.pop(container_id).close()
        if told is not None and not isinstance(told, ContainerGone):
            raise told
        return None

    def _read(self, target: Target, lines: Iterator[Line]) -> None:
        ended: BaseException | None = None
        try:
            for line in lines:
                self._told.put((target.container_id, line))
        except BaseException as error:  # noqa: BLE001 - raised in the thread that reads the queue
            ended = error
        self._told.put((target.container_id, ended))
