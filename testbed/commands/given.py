"""What several commands take: models, directories of results, sweep files; and what completes them in a shell."""

import argparse
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from argcomplete.completers import DirectoriesCompleter, FilesCompleter

from servers.models import SERVERS
from testbed.errors import UserError
from testbed.names import EVERY

if TYPE_CHECKING:
    from testbed.stack.engine import Engine
    from testbed.stack.swarm.engine import SwarmEngine

PROJECT = Path(__file__).resolve().parent.parent.parent
RESULTS = PROJECT / "results"

Completer = Callable[..., Iterable[str]]


def completed_by(completer: Completer, action: argparse.Action) -> None:
    """Let a shell complete this argument by what `completer` returns."""
    action.completer = completer  # type: ignore[attr-defined]  # where argcomplete looks for it


def results_option(parser: argparse.ArgumentParser, told: str = "default results/") -> None:
    """--results DIR, the directory in which each sweep has one."""
    option = parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help=told)
    completed_by(DirectoriesCompleter(), option)


def on_options(parser: argparse.ArgumentParser) -> None:
    """--on, --nodes and --registry: which machines."""
    parser.add_argument(
        "--on", choices=("engine", "swarm"), help="where containers run: one engine, the default, or a Docker Swarm"
    )
    parser.add_argument(
        "--nodes",
        type=Path,
        metavar="FILE",
        help="with --on swarm: the engines of its nodes, `nodes: {NAME: ENDPOINT}`",
    )
    parser.add_argument(
        "--registry",
        metavar="HOST:PORT",
        help="with --on swarm: carry images through this registry, not engine to engine",
    )


def swarm_of(arguments: argparse.Namespace) -> "SwarmEngine | None":
    """The Swarm that is asked for; None where one engine is. UserError as of `engine_of`."""
    from testbed.stack.swarm.engine import SwarmEngine

    engine = engine_of(arguments) if arguments.on == "swarm" or arguments.nodes or arguments.registry else None
    return engine if isinstance(engine, SwarmEngine) else None


def engine_of(arguments: argparse.Namespace, begun: Mapping[str, Any] | None = None) -> "Engine":
    """The engine that is asked for. `begun`: the cluster on which what is to go on has begun; None where on none.

    UserError, one line, where it cannot be used, or is not what was begun on.
    """
    from testbed.stack.docker import DockerEngine

    on = arguments.on or ("swarm" if begun else "engine")
    if on == "engine":
        for flag in ("nodes", "registry"):
            if getattr(arguments, flag) is not None:
                raise UserError(f"--{flag}: found without --on swarm, allowed: beside it")
        return DockerEngine()
    from testbed.stack.swarm.engine import SwarmEngine
    from testbed.stack.swarm.nodes import read_endpoints

    before: dict[str, Any] = dict(begun or {})
    given = {} if arguments.nodes is None else read_endpoints(arguments.nodes)
    return SwarmEngine({**before.get("nodes", {}), **given}, arguments.registry or before.get("registry"))


def checked_models(names: list[str]) -> list[str]:
    """The names as they are. UserError, one line, for one that is no model."""
    return _checked("MODEL", names, SERVERS)


def checked_images(names: list[str]) -> list[str]:
    """The names as they are. UserError, one line, for one of which there is no image."""
    return _checked("IMAGE", names, EVERY)


def _checked(what: str, names: list[str], allowed: Iterable[str]) -> list[str]:
    for name in names:
        if name not in allowed:
            raise UserError(f"{what}: found {name!r}, allowed: {', '.join(allowed)}")
    return names


def models(**_: object) -> Iterable[str]:
    """Every model."""
    return SERVERS


def images(**_: object) -> Iterable[str]:
    """Every model and front, `locust` and `probe`."""
    return EVERY


def runs(prefix: str, parsed_args: argparse.Namespace, **_: object) -> Iterable[str]:
    """The directories of results, as paths from here, newest first; and any directory that the prefix leads to."""
    root = getattr(parsed_args, "results", RESULTS)
    began = sorted(root.glob("*/manifest.json"), key=lambda path: path.parent.name, reverse=True)
    found = [os.path.relpath(manifest.parent) for manifest in began]
    return [path for path in found if path.startswith(prefix)] or DirectoriesCompleter()(prefix)


def sweep_files(prefix: str, **_: object) -> Iterable[str]:
    """The ready-made sweep files, as paths from here; and any YAML file or directory that the prefix leads to."""
    found = sorted(os.path.relpath(path) for path in (PROJECT / "sweeps").glob("*.yaml"))
    return [path for path in found if path.startswith(prefix)] or FilesCompleter(("yaml", "yml"))(prefix)
