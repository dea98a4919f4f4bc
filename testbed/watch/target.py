"""Which running server is watched. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from servers.models import SERVERS, TABLE
from servers.models.traits import Size
from testbed.errors import UserError


@dataclass(frozen=True)
class Target:
    """A running server container. Limits are None where none is set; `run_id` and `trial_id` outside of a sweep."""

    container_id: str
    name: str
    model: str
    user: str
    """As Docker takes it; empty for root."""
    started_unix: float
    cpus: float | None = None
    cpuset: str | None = None
    memory_bytes: int | None = None
    project: str | None = None
    """The compose project it belongs to; None where it was started otherwise."""
    run_id: str | None = None
    trial_id: str | None = None
    packet_log: bool = False

    def __str__(self) -> str:
        return f"{self.model} ({self.name})"


def is_called(target: Target, wanted: str | None) -> bool:
    """Whether a person who says `wanted` may mean this one: its model, its container's name, or nothing at all."""
    return wanted in (None, target.model, target.name)


def check(wanted: str | None, targets: Sequence[Target]) -> None:
    """UserError where nothing that runs or could run is called that."""
    if wanted is not None and wanted not in SERVERS and not any(is_called(target, wanted) for target in targets):
        allowed = f"{', '.join(SERVERS)}, or the name of a running server's container"
        raise UserError(f"MODEL: found {wanted!r}, allowed: {allowed}")


def choose(targets: Sequence[Target], wanted: str | None) -> Target | None:
    """The one that is meant, None when there is none. UserError, one line that names them, when there are several."""
    found = [target for target in targets if is_called(target, wanted)]
    if len(found) > 1:
        same = len({target.model for target in found}) == 1
        names = ", ".join(sorted(str(target) for target in found))
        say = f"watch {found[0].name if same else found[0].model}"
        raise UserError(f"several servers run: {names}; say which, such as `{say}`")
    return found[0] if found else None


def none_runs(targets: Sequence[Target], wanted: str | None) -> str:
    """One line that says what to run."""
    running = f" (running: {', '.join(sorted(map(str, targets)))})" if targets else ""
    which = f" of {wanted}" if wanted else ""
    # One that serves several people at once.
    start = wanted or next(name for name in SERVERS if TABLE[name].slots_of(Size()) is None)
    return f"no server{which} runs here{running}; to start one: .venv/bin/python orchestrate.py up {start}"
