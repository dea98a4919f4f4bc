"""Look after look at a running server, on a terminal, as plain text, as JSON, or its packets."""

import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console
from rich.console import Group as Lines
from rich.live import Live
from rich.text import Text

from testbed.errors import UserError
from testbed.interrupt import interruptible
from testbed.stack.engine import ContainerGone
from testbed.stack.speaking import speaking
from testbed.terminal import plain
from testbed.watch.beside import Beside
from testbed.watch.load import Ask, Load, LoadReader, from_page
from testbed.watch.several import SeveralView
from testbed.watch.target import Group, Target, check, choose, none_runs, one_of
from testbed.watch.together import Line, Together
from testbed.watch.view import Look, View

SHORTEST_INTERVAL_S, LONGEST_INTERVAL_S = 0.2, 60.0
# With --once the generator's rate is worth waiting for: its first counts take some seconds.
_MOST_LOOKS_FOR_A_RATE = 5
# Between two trials of a sweep there is no server for about a second.
_LOOK_AGAIN_S = 0.25
# Containers that have come are found this soon: to ask costs Docker some milliseconds for each that runs.
_FOLLOW_S = 2.0
_PACKET = b"[PACKET]"


@dataclass(frozen=True)
class Options:
    """What was asked for on the command line."""

    model: str | None
    interval_s: float
    once: bool
    as_json: bool
    packets: bool
    page: tuple[str, int] | None = None
    """Host and port of the load generator's page, where it is not beside the server on the same engine."""


@dataclass(frozen=True)
class Looks:
    """The last look at each container, fronts first."""

    every: tuple[Look, ...]
    newest: Look
    is_round: bool
    """Whether each of them has been looked at anew since the last time that this was so."""


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
    screens = Screens(plain=not console.encoding.startswith("utf"))
    found = looks(engine, options)
    if options.once or options.as_json or not console.is_terminal or console.is_dumb_terminal:
        _print_all(found, screens, options, console)
        return
    with Live(console=console, screen=True, auto_refresh=False) as live:
        for one in found:
            live.update(_screen(one, screens, console), refresh=True)
    # The last screen goes with the terminal's other buffer; what ended it stays.
    plain(console)("the server that was watched has ended")


class Screens:
    """One server in full, or a row for each of several."""

    def __init__(self, plain: bool) -> None:
        self._of_one, self._of_several = View(plain), SeveralView(plain)

    def lines(self, found: Looks, width: int, height: int | None) -> list[Text]:
        if len(found.every) == 1:
            return self._of_one.lines(found.newest, width, height)
        return self._of_several.lines(found.every, width, height)


def _screen(found: Looks | Pause, screens: Screens, console: Console) -> Lines:
    if isinstance(found, Pause):
        return Lines(Text(found.why, style="dim"))
    return Lines(*screens.lines(found, console.width, console.height))


def _print_all(every: Iterator[Looks | Pause], screens: Screens, options: Options, console: Console) -> None:
    rounds = 0
    for found in every:
        if isinstance(found, Pause):
            continue
        if options.as_json and not options.once:
            _print_json(found.newest)
            continue
        if not found.is_round:
            continue
        rounds += 1
        if options.once and not all(map(_is_complete, found.every)) and rounds < _MOST_LOOKS_FOR_A_RATE:
            continue
        if options.as_json:
            for look in found.every:
                _print_json(look)
        else:
            console.print(*screens.lines(found, console.width, None), sep="\n", soft_wrap=True, highlight=False)
            console.print()
        if options.once:
            return


def _print_json(look: Look) -> None:
    print(json.dumps(look.as_json(), separators=(",", ":")), flush=True)


def _is_complete(look: Look) -> bool:
    """Whether rates are known: the server's from the second look on, the generator's when it has told twice."""
    load = look.load
    return look.line["seconds"] is not None and (load is None or not load.is_running or load.requests_per_s is not None)


def looks(engine: Beside, options: Options) -> Iterator[Looks | Pause]:
    """Look after look at the servers that are meant, as they come and go. Beside a sweep, at those of its trials, one
    after another.

    Ends with the last server, or with the sweep. UserError where there is none to begin with.
    """
    seen = False
    while True:
        targets = engine.targets()
        group = choose(targets, options.model)
        if group is None:
            under_way = engine.runs_under_way()
            if not under_way:
                if seen:
                    return
                raise UserError(none_runs(targets, options.model))
            which = f" of {options.model}" if options.model else ""
            yield Pause(f"the sweep {', '.join(under_way)} is under way: waiting for its next server{which}")
            time.sleep(_LOOK_AGAIN_S)
            continue
        seen = True
        yield from _looks_at(engine, group, options)


def _looks_at(engine: Beside, group: Group, options: Options) -> Iterator[Looks]:
    """Until the last of the group has ended."""
    with (
        LoadReader(_page(engine, group, options)) as load,
        Together(engine, options.interval_s) as together,
    ):
        together.follow(group.every)
        last = _LastLooks()
        followed = time.monotonic()
        while together.watched:
            if (told := together.next(followed + _FOLLOW_S - time.monotonic())) is not None:
                yield last.add(*told, load.latest(), group, together.watched)
            if time.monotonic() > followed + _FOLLOW_S:
                group = _now(engine, group, options)
                together.follow(group.every)
                followed = time.monotonic()
            last.keep(together.watched)


def _page(engine: Beside, group: Group, options: Options) -> Ask | None:
    """Who to ask for the load; None where there is no generator."""
    if options.page is not None:
        host, port = options.page
        return from_page(port, host)
    beside = engine.web_port(group.every[0])
    return None if beside is None else from_page(beside)


def _now(engine: Beside, before: Group, options: Options) -> Group:
    """The same group with those that have come; who was named alone stays alone."""
    targets = engine.targets()
    if any(options.model == target.name for target in before.every):
        return before
    same = [
        one for one in targets if (one.project, one.trial_id) == (before.every[0].project, before.every[0].trial_id)
    ]
    try:
        return choose(same, before.models[0]) or before
    except UserError:  # of nobody's project: those stand alone
        return before


class _LastLooks:
    """The last look at each container."""

    def __init__(self) -> None:
        self._last: dict[str, Look] = {}
        self._since_a_round: set[str] = set()

    def add(self, target: Target, line: Line, load: Load | None, group: Group, watched: list[Target]) -> Looks:
        look = Look(target, line, load, time.time() - target.started_unix, group.models)
        self._last[target.container_id] = look
        self._since_a_round.add(target.container_id)
        is_round = {one.container_id for one in watched} <= self._since_a_round
        if is_round:
            self._since_a_round.clear()
        order = {one.container_id: place for place, one in enumerate(group.every)}
        every = sorted(self._last.values(), key=lambda one: order.get(one.target.container_id, len(order)))
        return Looks(tuple(every), look, is_round)

    def keep(self, watched: list[Target]) -> None:
        """Forget those that have ended."""
        there = {target.container_id for target in watched}
        self._last = {name: look for name, look in self._last.items() if name in there}


def _packets(engine: Beside, options: Options, console: Console) -> None:
    """The packets of the server that is meant, in hex and ASCII; with --once only those so far."""
    targets = engine.targets()
    group = choose(targets, options.model)
    if group is None:
        raise UserError(none_runs(targets, options.model))
    target = one_of(group)
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
