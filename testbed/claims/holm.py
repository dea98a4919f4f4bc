"""Several claims on one question: each alone may be right by chance, so their number counts (Holm 1979). Pure."""

from collections.abc import Mapping
from dataclasses import replace

from testbed.claims.claim import Claim, Finding
from testbed.statistics import CONFIDENCE

ALPHA = 1 - CONFIDENCE


def adjusted(values: Mapping[str, float]) -> dict[str, float]:
    """Each p by its name, corrected for how many there are: at most ALPHA of all of them is right by chance."""
    found: dict[str, float] = {}
    greatest = 0.0
    for place, (name, p) in enumerate(sorted(values.items(), key=lambda one: (one[1], one[0]))):
        greatest = max(greatest, min(1.0, (len(values) - place) * p))
        found[name] = greatest
    return found


def corrected(claims: Mapping[str, Claim], findings: Mapping[str, Finding]) -> dict[str, Finding]:
    """The findings, in which what holds by itself and not among the others of its question is not shown any more."""
    told = dict(findings)
    for question in {claims[name].question for name in findings}:
        tested = {name: one.p for name, one in findings.items() if claims[name].question == question}
        known = {name: p for name, p in tested.items() if p is not None}
        for name, p in adjusted(known).items():
            if findings[name].outcome == "holds" and p >= ALPHA:
                why = (
                    f"{findings[name].decided}; among {len(known)} claims on this question it may be chance (p {p:.2g})"
                )
                told[name] = replace(findings[name], outcome="not shown", decided=why)
    return told
