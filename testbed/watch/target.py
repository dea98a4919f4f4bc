"""Which running servers are watched, and what stands before them. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from servers.models import SERVERS, TABLE
from servers.models.traits import Size
from testbed.errors import UserError
from testbed.names import model_of

Role = Literal["server", "sidecar", "front", "store", "broker", "consumer"]


@dataclass(frozen=True)
class Target:
    """A running container of a server, a front, or what stands behind servers. Limits are None where none is set;
    `run_id` and `trial_id` outside of a sweep."""

    container_id: str
    name: str
    model: str
    """Of anything else than a server, what it is."""
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
    role: Role = "server"
    behind: tuple[str, ...] = ()
    """Of a front, the names at which it finds its servers."""
    port: int | None = None
    """Where it listens; None: where servers do."""

    @property
    def is_part(self) -> bool:
        """Whether it stands behind servers."""
        return self.role not in ("server", "sidecar", "front")

    def __str__(self) -> str:
        return f"{self.model} ({self.name})"


def is_called(target: Target, wanted: str | None) -> bool:
    """Whether a person who says `wanted` may mean this one: its model, its container's name, its project's, or nothing
    at all."""
    return wanted is None or wanted in (target.model, target.name, target.project)


def check(wanted: str | None, targets: Sequence[Target]) -> None:
    """UserError where nothing that runs or could run is called that."""
    if wanted is not None and wanted not in SERVERS and not any(is_called(target, wanted) for target in targets):
        allowed = f"{', '.join(SERVERS)}, or the name of a running server's container or Compose project"
        raise UserError(f"MODEL: found {wanted!r}, allowed: {allowed}")


@dataclass(frozen=True)
class Group:
    """What is watched together: the containers of one model that share their work, the fronts before them, their
    sidecars and what stands behind them; or one container by itself."""

    fronts: tuple[Target, ...]
    servers: tuple[Target, ...]
    parts: tuple[Target, ...] = ()
    sidecars: tuple[Target, ...] = ()

    @property
    def every(self) -> tuple[Target, ...]:
        return (*self.fronts, *self.servers, *self.sidecars, *self.parts)

    @property
    def models(self) -> tuple[str, ...]:
        """By any of these names a load goes to it."""
        return tuple(dict.fromkeys(target.model for target in (*self.servers, *self.fronts)))


def choose(targets: Sequence[Target], wanted: str | None) -> Group | None:
    """Those that are meant, None when there are none. UserError, one line that names them, when they do not belong
    together. A container's name means it alone."""
    found = [target for target in targets if is_called(target, wanted)]
    if by_name := [target for target in found if wanted == target.name]:
        return _group(by_name)
    meant = [[*same, *_before(same, targets), *_parts_of(same, targets)] for same in _together(found)]
    # By the name of a front; or only fronts run.
    meant = meant or [[front, *_behind(front, targets)] for front in found if front.role == "front"]
    if len(meant) > 1:
        names = ", ".join(sorted(str(target) for target in found))
        raise UserError(f"several servers run: {names}; say which, such as `watch {_told_apart(meant)}`")
    return _group(meant[0]) if meant else None


def _told_apart(groups: Sequence[Sequence[Target]]) -> str:
    """What means the first of these groups alone: its model, its project, or the name of a container."""
    first, others = groups[0][0], [group[0] for group in groups[1:]]
    if first.model not in {other.model for other in others}:
        return first.model
    if first.project is not None and first.project not in {other.project for other in others}:
        return first.project
    return first.name


def one_of(group: Group) -> Target:
    """The only server of it. UserError where there are several."""
    if len(group.servers) > 1:
        names = ", ".join(target.name for target in group.servers)
        raise UserError(f"several servers run: {names}; say which, such as `watch {group.servers[0].name}`")
    return (*group.servers, *group.fronts, *group.sidecars, *group.parts)[0]


def _group(targets: Sequence[Target]) -> Group:
    ordered = sorted(targets, key=lambda target: (len(target.name), target.name))
    fronts = tuple(target for target in ordered if target.role == "front")
    servers = tuple(target for target in ordered if target.role == "server")
    parts = tuple(target for target in ordered if target.is_part)
    return Group(fronts, servers, parts, tuple(target for target in ordered if target.role == "sidecar"))


def _together(targets: Sequence[Target]) -> list[list[Target]]:
    """The servers of one model in one project, and in a sweep in one trial. What no project started stands alone."""
    found: dict[tuple[str | None, ...], list[Target]] = {}
    for one in (target for target in targets if target.role == "server"):
        alone = one.container_id if one.project is None else None
        found.setdefault((one.project, one.trial_id, one.model, alone), []).append(one)
    return list(found.values())


def _is_before(front: Target, server: Target) -> bool:
    """Whether this front hands connections to this server, by the names it was told."""
    if front.project is None or (front.project, front.trial_id) != (server.project, server.trial_id):
        return False
    model = server.model
    behind = [model_of(name) for name in front.behind]
    return model in behind or any(
        name.startswith(f"{model}-") and name[len(model) + 1 :].isdecimal() for name in behind
    )


def _before(servers: Sequence[Target], targets: Sequence[Target]) -> list[Target]:
    return [one for one in targets if one.role == "front" and any(_is_before(one, server) for server in servers)]


def _parts_of(servers: Sequence[Target], targets: Sequence[Target]) -> list[Target]:
    """What stands behind them or beside: of one project, and in a sweep of one trial."""
    where = {(server.project, server.trial_id) for server in servers if server.project is not None}
    return [one for one in targets if (one.is_part or one.role == "sidecar") and (one.project, one.trial_id) in where]


def _behind(front: Target, targets: Sequence[Target]) -> list[Target]:
    return [one for one in targets if one.role == "server" and _is_before(front, one)]


def none_runs(targets: Sequence[Target], wanted: str | None) -> str:
    """One line that says what to run."""
    running = f" (running: {', '.join(sorted(map(str, targets)))})" if targets else ""
    which = f" of {wanted}" if wanted else ""
    # One that serves several people at once.
    start = wanted or next(name for name in SERVERS if TABLE[name].slots_of(Size()) is None)
    return f"no server{which} runs here{running}; to start one: .venv/bin/python orchestrate.py up {start}"
