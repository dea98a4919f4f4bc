"""`orchestrate.py compare A B [C...]`: the first run is the base, each other one is compared with it."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from testbed.commands.given import completed_by, runs
from testbed.errors import UserError

if TYPE_CHECKING:
    from rich.console import Console

HELP = "compare runs on equal cells; the first is the base"


def options(parser: argparse.ArgumentParser) -> None:
    completed_by(runs, parser.add_argument("runs", nargs="+", type=Path, metavar="DIR"))
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--html", type=Path, metavar="FILE", help="also write a self-contained page")
    parser.add_argument("--force", action="store_true", help="even if the machines or engines differ")
    parser.add_argument(
        "--fail-if",
        action="append",
        default=[],
        metavar="CONDITION",
        help='exit with 1 where this is shown, such as "p99 > 1.10" or "throughput < 0.95"; with 3 where it cannot be '
        "judged; may be given more than once",
    )


def run(arguments: argparse.Namespace, console: "Console") -> int:
    """Compare, print, write. Exit code: OK, or of the conditions: FAILED where one is shown, BROKEN where none can be
    judged."""
    import json

    from testbed.compare import gate
    from testbed.compare.pairs import compare, document, show
    from testbed.terminal import plain

    say = plain(console)
    pairs = compare(arguments.runs, [gate.parse(text) for text in arguments.fail_if], arguments.force)
    if arguments.json:
        say(json.dumps(document(pairs), indent=2))
    else:
        for number, pair in enumerate(pairs):
            if number:
                say("")
            show(pair, console)
    if arguments.html is not None:
        from testbed.compare.page import page
        from testbed.files import write_atomically

        try:
            write_atomically(arguments.html, page(pairs))
        except OSError as error:
            raise UserError(f"--html: {arguments.html}: cannot be written: {error.strerror}") from None
        if not arguments.json:
            say(f"page: {arguments.html}")
    return gate.worst([one for pair in pairs for one in pair.gates])
