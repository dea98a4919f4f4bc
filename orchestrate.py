#!/usr/bin/env python3
# PYTHON_ARGCOMPLETE_OK
"""Threadmill's command line: build images, bring servers up with limits, sweep across them, read what came out."""

import sys

from testbed import exits
from testbed.errors import Breakdown, UserError, describe
from testbed.interrupt import interruptible


def main() -> int:
    name = "orchestrate.py"
    try:
        import argcomplete
        from rich.console import Console

        from testbed import commands

        parser = commands.parser("orchestrate.py", __doc__)
        argcomplete.autocomplete(parser, always_complete_options=False)
        arguments = parser.parse_args()
        name = arguments.command
        with interruptible():
            console = Console(width=None if sys.stdout.isatty() else 100, soft_wrap=False)
            return commands.command(name).run(arguments, console)
    except ModuleNotFoundError as missing:
        _tell(f"the package {missing.name} is missing: run `make setup`, then .venv/bin/python orchestrate.py")
        return exits.FAILED
    except UserError as error:
        _tell(str(error))
        return exits.USAGE
    except KeyboardInterrupt:
        _tell("interrupted")
        return exits.INTERRUPTED
    except Breakdown as error:
        _tell(str(error))
        return exits.BROKEN
    except Exception as error:  # noqa: BLE001 - one line for whoever uses it; the traceback is where the line says
        _tell(f"{name} failed: {describe(error)}")
        return exits.BROKEN


def _tell(lines: str) -> None:
    for line in lines.splitlines():
        print(f"orchestrate.py: {line}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
