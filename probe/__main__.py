"""`python -m probe`: watch the server whose PID namespace this container shares.

With --name: write DIR/NAME.probe.ndjson and DIR/NAME.probe.json once the window that DIR/NAME.window.json names has
closed; with --live whoever reads along finds each line at once. Without: a line of JSON a second on stdout until
stopped; with --push and --model, each line is POSTed to that URL too. With --watch the lines have the tree of processes
and threads; with --until-eof they end when standard input does. With --first-process the server is not PID 1 of the
namespace but the process of that command line, which is waited for; when it ends, so does this, with exit code 1.
"""

# Started beside a server on a busy machine: argparse alone would take a third of the start, and is for nothing here.
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from probe import first, steal
from probe.files import raise_open_files_limit
from probe.output import Series, write_json
from probe.sampler import Clock, Sampler
from probe.server import WatchedServer
from probe.window import BadWindow, read

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
SERVER_PORT = 8081
BY_HAND_INTERVAL_S = 1.0
PUSH_TIMEOUT_S = 0.5
LOOK_INTERVAL_S = 0.1
FLAGS = ("--output", "--name", "--interval", "--detail-interval", "--port", "--push", "--model", "--first-process")
SWITCHES = ("--watch", "--until-eof", "--live")
USAGE = (
    "usage: python -m probe [--output DIR --name NAME [--live] | --push URL --model NAME | --watch [--until-eof]] "
    "[--interval S] [--detail-interval S] [--port PORT] [--first-process WORDS]"
)
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}"


class BadArgument(ValueError):
    """One line for the person who typed it."""


@dataclass(frozen=True)
class Arguments:
    output: Path | None = None
    name: str | None = None
    interval_s: float = 0.25
    detail_interval_s: float = 1.0
    port: int = SERVER_PORT
    push: str | None = None
    model: str | None = None
    watch: bool = False
    until_eof: bool = False
    live: bool = False
    first_process: str | None = None
    """Words of its command line; None: it is PID 1."""


def parse(words: Sequence[str]) -> Arguments:
    """The arguments, every value checked. BadArgument names the one that is wrong, and what is allowed."""
    given: dict[str, str] = {}
    rest = [word for word in words if word not in SWITCHES]
    while rest:
        flag, has_value, text = rest.pop(0).partition("=")
        if flag not in FLAGS:
            raise BadArgument(f"unknown argument {flag!r}; {USAGE}")
        if not has_value:
            if not rest:
                raise BadArgument(f"{flag}: no value given")
            text = rest.pop(0)
        given[flag] = text
    output, name = given.get("--output"), given.get("--name")
    if (output is None) != (name is None):
        raise BadArgument("--output and --name: one without the other; give both to write files, none to watch")
    push, model = given.get("--push"), given.get("--model")
    if (push is None) != (model is None):
        raise BadArgument("--push and --model: one without the other; give both to tell a URL each line")
    watch, until_eof, live = (switch in words for switch in SWITCHES)
    ways = [flag for flag, on in (("--push", push), ("--name", name), ("--watch", watch)) if on]
    if len(ways) > 1:
        raise BadArgument(f"{' and '.join(ways)}: both given; allowed: one of them")
    if until_eof and not watch:
        raise BadArgument("--until-eof: given without --watch")
    if live and not name:
        raise BadArgument("--live: given without --name")
    for flag, value in (("--name", name), ("--model", model)):
        if value is not None and not re.fullmatch(_NAME, value):
            raise BadArgument(
                f"{flag}: found {value!r}, allowed: letters, digits and . _ - (at most 200, no dot first)"
            )
    if not given.get("--first-process", "python3").strip():
        raise BadArgument(
            "--first-process: found nothing, allowed: words of a command line, such as 'python3 -m servers'"
        )
    if output is not None and not Path(output).is_dir():
        raise BadArgument(f"--output: found {output!r}, allowed: an existing directory")
    defaults = Arguments() if name else Arguments(interval_s=BY_HAND_INTERVAL_S)
    return Arguments(
        output=None if output is None else Path(output),
        name=name,
        interval_s=_seconds(given, "--interval", defaults.interval_s),
        detail_interval_s=_seconds(given, "--detail-interval", defaults.detail_interval_s),
        port=_port(given.get("--port", str(SERVER_PORT))),
        push=push,
        model=model,
        watch=watch,
        until_eof=until_eof,
        live=live,
        first_process=given.get("--first-process"),
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


def first_process(words: str | None) -> int:
    """The PID of the server's first process, waited for where it goes by its command line. A stop meanwhile exits."""
    if words is None:
        return 1
    while (pid := first.choose(first.candidates(), words, os.getpid())) is None:
        if wait(LOOK_INTERVAL_S):
            sys.exit(0)
    return pid


def clock_of(server: int) -> Clock:
    """Ends the sampling at a stop signal, and when the server's first process is gone: PID 1 takes this along."""

    def wait_for(seconds: float) -> bool:
        return wait(seconds) or has_ended(server)

    return Clock(unix=time.time, cpu_s=time.process_time, wait=wait_for if server != 1 else wait)


def has_ended(server: int) -> bool:
    return not (first.PROC / str(server)).exists()


def watch(arguments: Arguments, server_pid: int) -> None:
    """Print until stopped, and tell the URL of --push. BadArgument if it is none."""
    from probe.by_hand import Followed, Lines

    tell: list[Callable[[dict[str, Any]], None]] = [lambda line: print(json.dumps(line), flush=True)]
    if arguments.push is not None and arguments.model is not None:
        from probe.push import HOSTNAME_FILE, BadUrl, Push, host_name

        try:
            timeout_s = min(PUSH_TIMEOUT_S, arguments.interval_s / 2)
            push = Push(
                arguments.push, arguments.model, timeout_s, host=host_name(Path(HOSTNAME_FILE.format(first=server_pid)))
            )
        except BadUrl as error:
            raise BadArgument(f"--push: {error}") from None
        tell.append(push.add)

    def say(line: dict[str, Any]) -> None:
        for each in tell:
            each(line)

    server = Followed(WatchedServer(arguments.port, raise_open_files_limit(), first=server_pid))
    lines = Lines(server.grown, say)
    Sampler(
        server, clock_of(server_pid), lambda: None, lines.add, arguments.interval_s, arguments.detail_interval_s
    ).run()


def show(arguments: Arguments, server_pid: int) -> None:
    """Print the tree until stopped."""
    from probe.live import Live, stop_at_end_of
    from probe.tree import parse_thread

    if arguments.until_eof:
        stop_at_end_of(sys.stdin.fileno())
    server = WatchedServer(arguments.port, raise_open_files_limit(), parse_task=parse_thread, first=server_pid)
    Live(
        server,
        clock_of(server_pid),
        arguments.port,
        arguments.interval_s,
        lambda line: print(json.dumps(line, separators=(",", ":")), flush=True),
    ).run()


def measure(directory: Path, name: str, arguments: Arguments, server_pid: int) -> None:
    """Write the two files of one window. OSError if they cannot be written, BadWindow if the window file is wrong."""
    window_file = directory / f"{name}.window.json"
    series = Series(directory / f"{name}.probe.ndjson", arguments.live)
    try:
        server = WatchedServer(arguments.port, raise_open_files_limit(), first=server_pid)
        start_cpu_s = time.process_time()
        sampler = Sampler(
            server,
            clock_of(server_pid),
            lambda: read(window_file),
            series.add,
            arguments.interval_s,
            arguments.detail_interval_s,
            steal.read,
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
        server_pid = first_process(arguments.first_process)
        if arguments.watch:
            show(arguments, server_pid)
        elif arguments.output is None or arguments.name is None:
            watch(arguments, server_pid)
        else:
            measure(arguments.output, arguments.name, arguments, server_pid)
        if server_pid != 1 and has_ended(server_pid):
            print(f"probe: the server, PID {server_pid}, has ended", file=sys.stderr)
            sys.exit(1)
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
