"""Running the sweeps of claims, one after another, and judging them as they come."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import yaml
from rich.console import Console
from rich.text import Text

from testbed import exits
from testbed.claims import page
from testbed.claims.catalogue import CLAIMS
from testbed.claims.claim import Claim, Finding
from testbed.claims.store import Store, missing
from testbed.claims.sweeps import ALL_QUICK
from testbed.errors import UserError
from testbed.plan import sweepfile, trials
from testbed.plan.estimate import expected_s
from testbed.plan.fields import Machine
from testbed.plan.schema import Sweep
from testbed.results.table import new_table
from testbed.run import sweep as sweeps
from testbed.stack.engine import Engine
from testbed.terminal import plain
from testbed.units import format_clock

PROJECT = Path(__file__).resolve().parents[2]


def named(names: Sequence[str]) -> tuple[str, ...]:
    """Those that are asked for, each once; all without a name. UserError for one that is none."""
    for name in names:
        if name not in CLAIMS:
            raise UserError(f"claims: found {name!r}, allowed: {', '.join(CLAIMS)}")
    return tuple(dict.fromkeys(names)) or tuple(CLAIMS)


@dataclass(frozen=True)
class Asked:
    """A sweep file as it is run for claims."""

    file: str
    text: str
    sweep: Sweep
    names: tuple[str, ...]
    """The claims that share it."""

    @property
    def expected_s(self) -> float:
        return expected_s(self.sweep)


def text_of(claim: Claim, quick: bool) -> str:
    """The claim's sweep file as it is run."""
    text = (PROJECT / claim.sweep).read_text(encoding="utf-8")
    if not quick:
        return text
    return str(yaml.safe_dump({**sweepfile.values(text), **ALL_QUICK, **(claim.quick or {})}, sort_keys=False))


def asked(names: Iterable[str], quick: bool, machine: Machine) -> tuple[list[Asked], dict[str, str]]:
    """The sweeps of these claims in their order, and by file why one is not run. Those of claims that need
    more processors are in neither."""
    by_file: dict[str, list[str]] = {}
    for name in names:
        if CLAIMS[name].processors <= machine.cpus:
            by_file.setdefault(CLAIMS[name].sweep, []).append(name)
    found, refused = [], {}
    for file, sharing in by_file.items():
        if quick and CLAIMS[sharing[0]].quick is None:
            refused[file] = "left out with --quick, whose windows are too short for it"
            continue
        text = text_of(CLAIMS[sharing[0]], quick)
        try:
            sweep = sweepfile.parse(text, PROJECT / file, machine)
            trials.trials(sweep)
        except UserError as error:
            refused[file] = "; ".join(str(error).splitlines())
        else:
            found.append(Asked(file, text, sweep, tuple(sharing)))
    return found, refused


def print_plan(names: Sequence[str], quick: bool, machine: Machine, console: Console) -> None:
    """What `--dry-run` shows: each sweep with its claims and about how long it takes, and what this machine cannot."""
    say = plain(console)
    every, refused = asked(names, quick, machine)
    for one in every:
        say(f"{one.file}: about {one.expected_s / 60:.1f} minutes, for {', '.join(one.names)}{_quickly(quick)}")
    for name in names:
        why = refused.get(CLAIMS[name].sweep)
        if CLAIMS[name].processors > machine.cpus:
            why = f"needs {CLAIMS[name].processors} processors, and there are {machine.cpus}"
        if why is not None:
            say(f"{name}: inconclusive here: {why}")
    say(_announcement(names, every, quick))


def _announcement(names: Sequence[str], every: Sequence[Asked], quick: bool) -> str:
    minutes = sum(one.expected_s for one in every) / 60
    what = f"{len(names)} claim{'s' * (len(names) != 1)}, {len(every)} sweep{'s' * (len(every) != 1)}"
    return f"{what}: about {minutes:.0f} minutes, and what it takes to start each sweep{_quickly(quick)}"


def _quickly(quick: bool) -> str:
    return " (quick: wider intervals)" if quick else ""


def begin(names: Sequence[str], quick: bool, root: Path, engine: Engine) -> Store:
    """A directory of its own below `root` for these claims. UserError where it cannot be made."""
    path = root / f"claims-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    try:
        path.mkdir(parents=True)
    except OSError as error:
        raise UserError(
            f"{path}: cannot be created: {error.strerror}; choose another place with --results DIR"
        ) from None
    store = Store(path, tuple(names), quick, engine.cpus)
    store.write()
    return store


def go_on(store: Store, force: bool, console: Console, engine: Engine) -> int:
    """Run what is missing, and after each sweep say what its claims come to.

    The exit code is OK also with trials that are invalid: whether they matter is the predicates' word. What ends the
    work ends it here, with a line that says how to go on; what was measured is judged whatever happened.
    """
    say = plain(console)
    machine = Machine(engine.cpus, engine.memory_bytes, engine.networks)
    every, store.refused = asked(store.names, store.quick, machine)
    left = [one for one in every if not _is_complete(_begun(store, one))]
    say(_announcement(store.names, left, store.quick))
    code, over = exits.BROKEN, False
    try:
        for number, one in enumerate(left, 1):
            left_s = sum(other.expected_s for other in left[number - 1 :])
            place = f"[{number}/{len(left)}, {format_clock(left_s)} left]"
            say(f"{place} {one.file}, for {', '.join(one.names)}{_quickly(store.quick)}")
            code = _run(store, one, force, console, engine)
            if code not in (exits.OK, exits.FAILED):
                return code
            findings = store.write()
            for name in one.names:
                say(f"{name}: {words(findings[name], store.quick)}")
        over = True
    finally:
        for one in every:
            _take(store, one)
        store.write()
        if not over:
            say(f"to go on: .venv/bin/python orchestrate.py claims --resume {store.path}")
    return exits.OK


def words(finding: Finding, quick: bool) -> str:
    """Outcome and what decided, in a line."""
    return f"{finding.outcome}{' (quick)' * quick}: {finding.decided}"


def _run(store: Store, one: Asked, force: bool, console: Console, engine: Engine) -> int:
    begun = _begun(store, one)
    try:
        if begun is not None:
            return sweeps.resume(begun, force, console, engine)
        return sweeps.run(one.sweep, one.text, store.path, console, engine)
    finally:
        _take(store, one)


def _take(store: Store, one: Asked) -> None:
    begun = _begun(store, one)
    if begun is not None:
        store.sweeps[one.file] = begun.name
        store.changed(one.file)


def _begun(store: Store, one: Asked) -> Path | None:
    """Where the results of this sweep are, by the names of the directories: what was killed has not been noted."""
    there = sorted(store.path.glob(f"{one.sweep.name}-[0-9]*Z/manifest.json"))
    return there[-1].parent if there else None


def _is_complete(path: Path | None) -> bool:
    return path is not None and not missing(path)


def show(store: Store, findings: dict[str, Finding], console: Console) -> None:
    """The table."""
    table = new_table(f"claims{_quickly(store.quick)}")
    table.padding = (0, 1, 0, 0)
    for heading, ratio in (("claim", 4), ("outcome", 2), ("figure", 3), ("what decided", 5)):
        table.add_column(heading, overflow="fold", ratio=ratio)
    for name, claim in store.claims.items():
        one = findings[name]
        outcome = f"{one.outcome}{' (quick)' * store.quick}"
        texts = (f"{name}: {claim.statement}", outcome, one.figure, one.decided)
        table.add_row(*map(Text, texts), end_section=True)
    console.print(table)


def write_page(store: Store, findings: dict[str, Finding]) -> Path:
    """`claims.html`; UserError where it cannot be written."""
    try:
        return page.write(store, findings)
    except OSError as error:
        raise UserError(f"{store.path / page.FILE}: cannot be written: {error.strerror}") from None
