"""`orchestrate.py manifests FILE --kubernetes DIR`: each cell of a sweep as a kustomization for a cluster."""

import argparse
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from argcomplete.completers import DirectoriesCompleter

from testbed import exits
from testbed.commands.given import completed_by, sweep_files
from testbed.errors import UserError
from testbed.plan.fields import NETWORKS, Machine

if TYPE_CHECKING:
    from rich.console import Console

HELP = "write a sweep's cells as Kubernetes manifests"

# What a cluster's nodes have is not known here.
_ANY_MACHINE = Machine(cpus=1024, memory_bytes=2**44, networks=NETWORKS)

# With a port, as a registry may have, and with any number of directories below it; no tag.
_REGISTRY = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*")
_REGISTRY_ALLOWED = "HOST[:PORT][/PREFIX] such as registry.example/team, in place of `threadmill` in the images' names"


def options(parser: argparse.ArgumentParser) -> None:
    completed_by(sweep_files, parser.add_argument("file", type=Path, metavar="FILE"))
    directory = parser.add_argument(
        "--kubernetes",
        type=Path,
        metavar="DIR",
        required=True,
        help="a directory that is not there yet, or empty: one kustomization below it for each cell",
    )
    completed_by(DirectoriesCompleter(), directory)
    parser.add_argument(
        "--registry", metavar="HOST/PREFIX", default="", help="where the cluster finds the images (default threadmill)"
    )


def run(arguments: argparse.Namespace, console: "Console") -> int:
    from testbed.parts.manifests import manifests
    from testbed.plan import sweepfile
    from testbed.run.preparation import UNPRIVILEGED
    from testbed.terminal import plain

    if arguments.registry and not _REGISTRY.fullmatch(arguments.registry):
        raise UserError(f"--registry: found {arguments.registry!r}, allowed: {_REGISTRY_ALLOWED}")
    sweep = sweepfile.load(arguments.file, _ANY_MACHINE)
    uid, gid = UNPRIVILEGED
    try:
        made = manifests(sweep, f"{uid}:{gid}", arguments.registry)
    except UserError as error:
        raise UserError(f"{arguments.file}: {error}") from None
    write(arguments.kubernetes, made.files)
    say = plain(console)
    for line in made.not_done:
        say(f"not done: {line}")
    say(f"{made.cells} cell{'s' if made.cells > 1 else ''}: {arguments.kubernetes}/README.md says how one is run")
    return exits.OK


def write(directory: Path, files: Mapping[str, str]) -> None:
    """All the files, or none. UserError where the directory is there and not empty, or cannot be made."""
    try:
        if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
            what = "a directory with something in it" if directory.is_dir() else "a file"
            raise UserError(f"--kubernetes: found {directory}, {what}; allowed: a directory that is new, or empty")
        directory.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=".manifests-", dir=directory.parent))
        try:
            made.chmod(0o755)
            for name, text in files.items():
                (made / name).parent.mkdir(parents=True, exist_ok=True)
                (made / name).write_text(text, encoding="utf-8")
            made.replace(directory)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise
    except OSError as error:
        raise UserError(f"--kubernetes: {directory}: cannot be written: {error.strerror}") from None
