"""Running the sweeps of claims, one after another, and judging them as they come."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from testbed import exits
from testbed.claims import page
from testbed.claims.catalogue import CLAIMS
from testbed.claims.claim import Claim, Finding
from testbed.claims.store import Store
from testbed.claims.sweeps import ALL_QUICK
from testbed.errors import UserError
from testbed.plan import cells, sweepfile
from testbed.plan.fields import Machine
from testbed.plan.schema import Sweep
from testbed.results import reading
from testbed.run import sweep as sweeps
from testbed.stack.engine import Engine
from testbed.terminal import plain

PROJECT = Path(__file__).resolve().parents[2]


def named(names: Sequence[str]) -> tuple[str, ...]:
    """Those that are asked for; all without a name. UserError for one that is none."""
    for name in names:
        if name not in CLAIMS:
            raise UserError(f"claims: found {name!r}, allowed: {', '.join(CLAIMS)}")
    return tuple(names) or tuple(CLAIMS)


def text_of(claim: Claim, quick: bool) -> str:
    """The sweep file as it is run."""
    text = (PROJECT / claim.sweep).read_text(encoding="utf-8")
    if not quick:
        return text
    return str(yaml.safe_dump({**sweepfile.values(text), **ALL_QUICK, **claim.quick}, sort_keys=False))


def to_run(names: Iterable[str], processors: int) -> dict[str, Claim]:
    """By sweep file, one claim that has it; without those that this machine cannot decide."""
    found: dict[str, Claim] = {}
    for name in names:
        claim = CLAIMS[name]
        if claim.processors <= processors:
            found.setdefault(claim.sweep, claim)
    return found


def parsed(claim: Claim, quick: bool, machine: Machine) -> Sweep:
    return sweepfile.parse(text_of(claim, quick), PROJECT / claim.sweep, machine)


def print_plan(names: Sequence[str], quick: bool, machine: Machine, console: Console) -> None:
    """What `--dry-run` shows: each sweep with its claims and about how long it takes."""
    say, total_s = plain(console), 0.0
    for sweep, claim in to_run(names, machine.cpus).items():
        seconds = cells.expected_s(parsed(claim, quick, machine))
        total_s += seconds
        judged = [name for name in names if CLAIMS[name].sweep == sweep and CLAIMS[name].processors <= machine.cpus]
        say(f"{sweep}: about {seconds / 60:.1f} minutes, for {', '.join(judged)}")
    for name in names:
        if CLAIMS[name].processors > machine.cpus:
            say(f"{name}: inconclusive here: needs {CLAIMS[name].processors} processors, and there are {machine.cpus}")
    say(f"{len(names)} claims, about {total_s / 60:.0f} minutes in all, and what it takes to start them")


def begin(names: Sequence[str], quick: bool, root: Path, console: Console, engine: Engine) -> tuple[int, Store]:
    """Run what is needed for these claims into a directory of their own below `root`; the exit code as of a sweep, but
    that invalid trials are no failure: whether they matter is the predicates' word."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    path = root / f"claims-{stamp}"
    path.mkdir(parents=True)
    store = Store(path, tuple(names), quick, engine.cpus)
    store.write()
    return go_on(store, console, engine), store


def go_on(store: Store, console: Console, engine: Engine) -> int:
    """Run what is missing. After each sweep all that is there is judged anew, so that nothing is lost by a Ctrl-C."""
    say = plain(console)
    machine = Machine(engine.cpus, engine.memory_bytes, engine.networks)
    every = to_run(store.names, engine.cpus)
    for number, (sweep, claim) in enumerate(every.items(), 1):
        say(f"[{number}/{len(every)}] {sweep}")
        code = _run(store, claim, machine, console, engine)
        store.write()
        if code not in (exits.OK, exits.FAILED):
            say(f"to go on: orchestrate.py claims --resume {store.path}")
            return code
    return exits.OK


def _run(store: Store, claim: Claim, machine: Machine, console: Console, engine: Engine) -> int:
    begun = store.sweeps.get(claim.sweep)
    if begun is not None and (store.path / begun / "manifest.json").exists():
        if _is_complete(store.path / begun):
            return exits.OK
        return sweeps.resume(store.path / begun, False, console, engine)
    before = _directories(store.path)
    try:
        wanted = parsed(claim, store.quick, machine)
        return sweeps.run(wanted, text_of(claim, store.quick), store.path, console, engine)
    finally:
        new = sorted(_directories(store.path) - before)
        if new:
            store.sweeps[claim.sweep] = new[-1]


def _directories(path: Path) -> set[str]:
    return {one.name for one in path.iterdir() if one.is_dir()}


def _is_complete(path: Path) -> bool:
    """Whether every trial of its plan has its row."""
    run = reading.read(path)
    try:
        sweep = sweepfile.load(path / "sweep.yaml", Machine(2**20, 2**60, ("bridge", "shared", "overlay")))
    except UserError:
        return False
    there = {row["trial_id"] for row in run.rows}
    return all(trial.trial_id in there for trial in cells.trials(sweep))


def show(store: Store, findings: dict[str, Finding], console: Console) -> None:
    """The table, and where the page is."""
    table = Table(title="claims" + (" (quick: wider intervals)" if store.quick else ""), title_justify="left")
    for heading in ("claim", "outcome", "figure", "what decided"):
        table.add_column(heading, overflow="fold")
    for name, claim in store.claims.items():
        one = findings[name]
        table.add_row(claim.statement, one.outcome, one.figure, one.decided)
    console.print(table)
    plain(console)(f"page: {page.write(store, findings)}")


def as_json(store: Store, findings: dict[str, Finding]) -> list[dict[str, Any]]:
    """One object for each claim."""
    return [
        {"name": name, "statement": claim.statement, **vars(findings[name])} for name, claim in store.claims.items()
    ]
