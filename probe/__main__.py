"""`python -m probe`: watch the server whose PID namespace this container shares.

With --name: write DIR/NAME.probe.ndjson and DIR/NAME.probe.json once the window that DIR/NAME.window.json names has
closed. Without: a line of JSON a second on stdout until stopped.
"""

# Started beside a server on a busy machine: argparse alone would take a third of the start, and is for nothing here.
import os
import re
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from probe.files import raise_open_files_limit
from probe.output import Series, write_json
from probe.sampler import Clock, Sampler
from probe.server import Server
from probe.window import BadWindow, read

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
SERVER_PORT = 8081
BY_HAND_INTERVAL_S = 1.0
USAGE = "usage: python -m probe [--output DIR --name NAME] [--interval S] [--detail-interval S] [--port PORT]"


class BadArgument(ValueError):
    """One line for the person who typed it."""


@dataclass(frozen=True)
class Arguments:
    output: Path | None = None
    name: str | None = None
    interval_s: float = 0.25
    detail_interval_s: float = 1.0
    port: int = SERVER_PORT


def parse(words: Sequence[str]) -> Arguments:
    """The arguments, every value checked. BadArgument names the one that is wrong, and what is allowed."""
    given: dict[str, str] = {}
    rest = list(words)
    while rest:
        flag, has_value, value = rest.pop(0).partition("=")
        if flag not in ("--output", "--name", "--interval", "--detail-interval", "--port"):
            raise BadArgument(f"unknown argument {flag!r}; {USAGE}")
        if not has_value:
            if not rest:
                raise BadArgument(f"{flag}: no value given")
            value = rest.pop(0)
        given[flag] = value
    output, name = given.get("--output"), given.get("--name")
    if (output is None) != (name is None):
        raise BadArgument("--output and --name: one without the other; give both to write files, none to watch")
    if name is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}", name):
        raise BadArgument(f"--name: found {name!r}, allowed: letters, digits and . _ - (at most 200, no dot first)")
    if output is not None and not Path(output).is_dir():
        raise BadArgument(f"--output: found {output!r}, allowed: an existing directory")
    defaults = Arguments() if name else Arguments(interval_s=BY_HAND_INTERVAL_S)
    return Arguments(
        output=None if output is None else Path(output),
        name=name,
        interval_s=_seconds(given, "--interval", defaults.interval_s),
        detail_interval_s=_seconds(given, "--detail-interval", defaults.detail_interval_s),
        port=_port(given.get("--port", str(SERVER_PORT))),
    )


def _seconds(given: dict[str, str], flag: str, default: float) -> float:
    text = given.get(flag, str(default))
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.05 <= value <= 60:  # also false for nan
        raise BadArgument(f"{flag}: found {text!r}, allowed: a number of seconds from 0.05 to 60")
    return value


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and 1 <= int(text) <= 65_535):
        raise BadArgument(f"--port: found {text!r}, allowed: a whole number from 1 to 65535")
    return int(text)


def wait(seconds: float) -> bool:
    """Sleep that long at most; True as soon as a stop signal is there. They are blocked, so none is ever missed."""
    return signal.sigtimedwait(STOP_SIGNALS, max(0.0, seconds)) is not None


CLOCK = Clock(unix=time.time, cpu_s=time.process_time, wait=wait)


def watch(arguments: Arguments) -> None:
    """Print until stopped."""
    from probe.by_hand import Lines

    lines = Lines(lambda line: print(line, flush=True))
    server = Server(arguments.port, raise_open_files_limit())
    Sampler(server, CLOCK, lambda: None, lines.add, arguments.interval_s, arguments.detail_interval_s).run()


def measure(directory: Path, name: str, arguments: Arguments) -> None:
    """Write the two files of one window. OSError if they cannot be written, BadWindow if the window file is wrong."""
    window_file = directory / f"{name}.window.json"
    series = Series(directory / f"{name}.probe.ndjson")
    try:
        server = Server(arguments.port, raise_open_files_limit())
        start_cpu_s = time.process_time()
        sampler = Sampler(
            server, CLOCK, lambda: read(window_file), series.add, arguments.interval_s, arguments.detail_interval_s
        )
        outcome = sampler.run()
    except BaseException:
        series.abandon()
        raise
    group = server.control_group()
    # Only now: psutil takes as long to import as everything else here.
    from probe.facts import machine
    from probe.summary import summarise

    summary: dict[str, Any] = summarise(
        name,
        outcome,
        None if group is None else group.version,
        None if group is None else group.limits(),
        machine(),
        sampler.detail.longest_s,
        start_cpu_s,
    )
    series.close()
    write_json(directory / f"{name}.probe.json", summary)


def main(words: Sequence[str]) -> NoReturn:
    # Before anything else: a stop that comes early is kept for the first wait.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        arguments = parse(words)
        if arguments.output is None or arguments.name is None:
            watch(arguments)
        else:
            measure(arguments.output, arguments.name, arguments)
    except (BadArgument, BadWindow) as error:
        print(f"probe: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        # Whoever watched has left; nothing may be written at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        print(f"probe: {error.filename or 'output'}: {error.strerror}", file=sys.stderr)
        sys.exit(2)
    sys.exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
