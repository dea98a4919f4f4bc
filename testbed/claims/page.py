"""`claims.html`: what was claimed, by whom, and what was found; one file that fetches nothing."""

import math
from pathlib import Path
from typing import Any

from markupsafe import Markup

from testbed.claims.claim import Claim, Finding
from testbed.claims.store import Store
from testbed.files import write_atomically
from testbed.report.page import STYLES, static
from testbed.report.templating import fill

FILE = "claims.html"
_WIDTH, _HEIGHT = 260, 34


def write(store: Store, findings: dict[str, Finding]) -> Path:
    """Write the page beside the results, and return where."""
    cards = [_card(store, claim, findings[name]) for name, claim in store.claims.items()]
    outcomes = [one.outcome for one in findings.values()]
    counts = [(outcome, outcomes.count(outcome)) for outcome in dict.fromkeys(sorted(outcomes))]
    text = fill(
        "claims.html",
        cards=cards,
        counts=counts,
        quick=store.quick,
        machine=_machine(store.manifest()),
        style=Markup("\n".join(static(name) for name in STYLES)),
    )
    path = store.path / FILE
    write_atomically(path, str(text))
    return path


def _card(store: Store, claim: Claim, finding: Finding) -> dict[str, Any]:
    return {
        "claim": claim,
        "finding": finding,
        "css": finding.outcome.replace(" ", "-"),
        "figure": figure(finding),
        "results": store.sweeps.get(claim.sweep),
    }


def _machine(manifest: dict[str, Any]) -> str:
    host, engine = manifest.get("host") or {}, manifest.get("engine") or {}
    words = [host.get("cpu_model"), f"{host['cpus']} processors" if host.get("cpus") else None]
    words += [f"Docker {engine['version']}" if engine.get("version") else None]
    return ", ".join(word for word in words if word)


def figure(finding: Finding) -> Markup:
    """The interval beside what was claimed, on a logarithmic axis; nothing where there is no interval."""
    low, high, estimate, bound = finding.low, finding.high, finding.estimate, finding.bound
    if low is None or high is None or estimate is None or bound is None or min(low, estimate, bound) <= 0:
        return Markup("")
    least, most = min(low, bound) / 1.2, max(high, bound) * 1.2

    def place(value: float) -> str:
        return f"{_WIDTH * math.log(value / least) / math.log(most / least):.1f}"

    return fill(
        "interval.svg",
        width=_WIDTH,
        height=_HEIGHT,
        low=place(low),
        high=place(high),
        estimate=place(estimate),
        bound=place(bound),
        words=f"{estimate:.3g}, interval {low:.3g} to {high:.3g}; claimed: {bound:g}",
    )
