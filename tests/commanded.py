"""A command of orchestrate.py in this process: its own options, its own body."""

from pathlib import Path

from rich.console import Console

from testbed import commands


def commanded(console: Console, name: str, *words: str | Path) -> int:
    """Run it as from the command line. Returns the exit code; raises what it raises."""
    arguments = commands.parser("orchestrate.py", None).parse_args([name, *map(str, words)])
    return commands.command(name).run(arguments, console)
