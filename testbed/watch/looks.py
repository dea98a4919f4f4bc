"""Look after look at a running server, on a terminal, as plain text, as JSON, or its packets."""

import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from testbed.errors import UserError
from testbed.interrupt import interruptible
from testbed.stack.docker import ContainerGone
from testbed.stack.speaking import speaking
from testbed.terminal import plain
from testbed.watch.beside import Beside
from testbed.watch.load import LoadReader, from_page
from testbed.watch.target import Target, check, choose, none_runs
from testbed.watch.view import Look, View

SHORTEST_INTERVAL_S, LONGEST_INTERVAL_S = 0.2, 60.0
# With --once the generator's rate is worth waiting for: its first counts take some seconds.
_MOST_LOOKS_FOR_A_RATE = 5
# Between two trials of a sweep there is no server for about a second.
_LOOK_AGAIN_S = 0.25
_PACKET = b"[PACKET]"


@dataclass(frozen=True)
class Options:
    """What was asked for on the command line."""

    model: str | None
    interval_s: float
    once: bool
    as_json: bool
    packets: bool


@dataclass(frozen=True)
class Pause:
    """No server to look at for now, and why."""

    why: str


def check_options(options: Options) -> None:
    """UserError, one line, for what cannot be had together or is out of range."""
    if not SHORTEST_INTERVAL_S <= options.interval_s <= LONGEST_INTERVAL_S:
        allowed = f"{SHORTEST_INTERVAL_S:g} to {LONGEST_INTERVAL_S:g} seconds"
        raise UserError(f"--interval: found {options.interval_s:g}, allowed: {allowed}")
    if options.packets and options.as_json:
        raise UserError("--packets and --json: both given, allowed: one of them; packets are lines of text")


def watch(options: Options, console: Console) -> int:
    """Watch until the server has ended, or until Ctrl-C. Returns the exit code; UserError for what cannot be,
    EngineError when Docker does not answer any more."""
    check_options(options)
    engine = Beside()
    try:
        with interruptible(), speaking():
            check(options.model, engine.targets())
            if options.packets:
                _packets(engine, options, console)
            else:
                _watch(engine, options, console)
    except KeyboardInterrupt:
        # How one stops looking is no failure.
        return 0
    except BrokenPipeError:
        # Whoever read this has enough. What is still in the buffer has nowhere to go either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 0


def _watch(engine: Beside, options: Options, console: Console) -> None:
    view = View(plain=not console.encoding.startswith("utf"))
    found = looks(engine, options)
    if options.once or options.as_json or not console.is_terminal or console.is_dumb_terminal:
        _print_all(found, view, options, console)
        return
    with Live(console=console, screen=True, auto_refresh=False) as live:
        for look in found:
            live.update(_screen(look, view, console), refresh=True)
    # The last screen goes with the terminal's other buffer; what ended it stays.
    plain(console)("the server that was watched has ended")


def _screen(look: Look | Pause, view: View, console: Console) -> Group:
    if isinstance(look, Pause):
        return Group(Text(look.why, style="dim"))
    return Group(*view.lines(look, console.width, console.height))


def _print_all(found: Iterator[Look | Pause], view: View, options: Options, console: Console) -> None:
    looked = 0
    for look in found:
        if isinstance(look, Pause):
            continue
        looked += 1
        if options.once and not _is_complete(look) and looked < _MOST_LOOKS_FOR_A_RATE:
            continue
        if options.as_json:
            print(json.dumps(look.as_json(), separators=(",", ":")), flush=True)
        else:
            console.print(*view.lines(look, console.width, None), sep="\n", soft_wrap=True, highlight=False)
            console.print()
        if options.once:
            return


def _is_complete(look: Look) -> bool:
    """Whether rates are known: the server's from the second look on, the generator's when it has told twice."""
    load = look.load
    return look.line["seconds"] is not None and (load is None or not load.is_running or load.requests_per_s is not None)


def looks(engine: Beside, options: Options) -> Iterator[Look | Pause]:
    """Look after look at the server that is meant. Beside a sweep, at the servers of its trials, one after another.

    Ends with the server, or with the sweep. UserError where there is none to begin with.
    """
    seen = False
    while True:
        targets = engine.targets()
        target = choose(targets, options.model)
        if target is None:
            under_way = engine.runs_under_way()
            if not under_way:
                if seen:
                    return
                raise UserError(none_runs(targets, options.model))
            which = f" of {options.model}" if options.model else ""
            yield Pause(f"the sweep {', '.join(under_way)} is under way: waiting for its next server{which}")
            time.sleep(_LOOK_AGAIN_S)
            continue
        try:
            for look in _looks_at(engine, target, options):
                seen = True
                yield look
        except ContainerGone:
            seen = True


def _looks_at(engine: Beside, target: Target, options: Options) -> Iterator[Look]:
    port = engine.web_port(target)
    with (
        LoadReader(None if port is None else from_page(port)) as load,
        engine.probe(target, options.interval_s, engine.rest_cpuset(target)) as lines,
    ):
        for line in lines:
            yield Look(target, line, load.latest(), time.time() - target.started_unix)


def _packets(engine: Beside, options: Options, console: Console) -> None:
    """The packets of the server that is meant, in hex and ASCII; with --once only those so far."""
    targets = engine.targets()
    target = choose(targets, options.model)
    if target is None:
        raise UserError(none_runs(targets, options.model))
    if not target.packet_log:
        raise UserError(
            f"{target} logs no packets; to start one that does: "
            f".venv/bin/python orchestrate.py up {target.model} --packet-log"
        )
    say = plain(console)
    try:
        for line in engine.log(target, follow=not options.once):
            if line.startswith(_PACKET):
                say(line.decode(errors="replace"))
    except ContainerGone:
        say("the server that was watched has ended")
