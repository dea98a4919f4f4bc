"""What was found out about a trial and each of its measured services, before anything is judged."""

import json
from dataclasses import dataclass, field
from typing import Any

from testbed.parts.counts import FrontCounts, together
from testbed.parts.deliveries import Deliveries
from testbed.parts.part_counts import PartCounts
from testbed.stack.services import Limits, Role, Service

REPORT_MARK = "[REPORT] "


@dataclass
class Seen:
    """What was found out about one measured service. What is None was not got."""

    name: str
    role: Role
    limits: Limits
    probe: dict[str, Any] | None = None
    """What its probe has written."""
    report: dict[str, Any] | None = None
    """Its exit report."""
    said: str = ""
    """What its log says of a connection it could not take."""
    ended: str = ""
    """How it ended before it was asked to, in words that name it; empty when it did not."""
    joined: bool = False
    """Whether it was started when the load was on already: then what it used is counted from its start."""
    removed: bool = False
    """Whether it was stopped on purpose while the load was on."""
    killed: bool = False
    """Whether it was killed on purpose while the load was on."""
    crashes: list[str] = field(default_factory=list)
    """How it was asked to crash, each time."""
    frozen: bool = False
    """Whether it stands still, on purpose."""

    @classmethod
    def of(cls, service: Service) -> "Seen":
        """Nothing yet."""
        return cls(service.name, service.role, service.limits)


@dataclass
class Findings:
    """What was found out about one trial. What is None was not got, for the reason in `failure` where there is one."""

    failure: str = ""
    boxes: list[Seen] = field(default_factory=list)
    verification: list[dict[str, str]] | None = None
    shape_mismatch: str | None = None
    other_echoes: int | None = 0
    """Requests the server echoed for readiness, verification and shape; None once that is not certain."""
    front_echoes: int | None = 0
    """Among them, those that came through the front; None as above."""
    perhaps_echoed: int = 0
    """Requests that reached a server and were given up on: it may have echoed them later."""
    direct_connections: int | None = 0
    """Connections that readiness, verification and shape made straight to single servers; None as above."""
    check_connections: int | None = 0
    """Those made through the front besides the load's; None as above."""
    sidecar_connections: int | None = 0
    """Those made to single sidecars, past the front; None as above."""
    fronts: dict[str, FrontCounts | None] = field(default_factory=dict)
    """What each front has counted when the load had ended, by its service; None where it did not say. Empty without one
    of its own."""
    sidecars: dict[str, FrontCounts] = field(default_factory=dict)
    """Likewise of each sidecar, by its service; those that did not say are not there."""
    ejections: list[dict[str, Any]] = field(default_factory=list)
    """When the front was seen to give a server nothing any more, and when to give it something again."""
    stood: dict[str, tuple[PartCounts, PartCounts]] = field(default_factory=dict)
    """What each part behind the servers has counted when the window opened, and when it closed."""
    deliveries: Deliveries | None = None
    """What became of the messages that servers sent, by the consumers' own notes; None without a broker."""
    actions: list[dict[str, Any]] = field(default_factory=list)
    """What was changed while the load was on, in its order."""
    provision: list[dict[str, Any]] = field(default_factory=list)
    """What there was to serve, from each moment at which that changed."""
    workers_expected: int | None = None
    load: dict[str, Any] | None = None
    packets_dropped: int | None = None
    tracked_limit: int | None = None
    least_cpu_us: float | None = None
    """CPU time below which no request's calibrated work can stay."""
    speed_drift: float | None = None
    """The processors' speed in the trial's block over that of the sweep's calibration."""
    phases_s: dict[str, float] = field(default_factory=dict)
    overhead_s: float = 0.0
    total_s: float = 0.0

    @property
    def front(self) -> FrontCounts | None:
        """What all fronts have counted together; None without one, and as soon as one did not say."""
        known = [counts for counts in self.fronts.values() if counts is not None]
        return together(known) if known and len(known) == len(self.fronts) else None


def exit_report(log: str) -> dict[str, Any] | None:
    """The server's exit report out of its log; None when it ended without one."""
    for line in reversed(log.splitlines()):
        if line.startswith(REPORT_MARK):
            report: dict[str, Any] = json.loads(line.removeprefix(REPORT_MARK))
            return report
    return None
