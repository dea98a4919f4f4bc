"""What the last run of the claims has found, as docs/claims.json says it."""

import json
from collections.abc import Callable
from typing import Any

from testbed import docs
from testbed.claims.catalogue import CLAIMS
from testbed.docs.markdown import table
from testbed.errors import UserError
from testbed.report.facts import machine


def _measured() -> dict[str, Any] | None:
    """The claims.json of the run that docs/ tells of; None where there is none. UserError where a claim is another one
    now: what was found is not of it."""
    path = docs.DOCS / "claims.json"
    if not path.exists():
        return None
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for one in told["claims"]:
        name = one["name"]
        if name not in CLAIMS or any(getattr(CLAIMS[name], key) != one[key] for key in ("statement", "predicate")):
            raise UserError(f"docs/claims.json: {name}: found is another claim than the program has; measure it again")
    return told


def _found(heads: tuple[str, ...], line: Callable[[dict[str, Any]], tuple[str, ...]]) -> str:
    told = _measured()
    if told is None:
        return "Nothing was measured with this version yet.\n"
    how = "With `--quick`: wider intervals. " if told["quick"] else ""
    return f"{how}Measured on {machine(told)}.\n\n{table(heads, map(line, told['claims']))}"


def claims() -> str:
    """What was found of each claim, in short."""
    return _found(("claim", "outcome", "figure"), lambda one: (one["statement"], one["outcome"], one["figure"]))


def claims_decided() -> str:
    """The same with who says so and what decided."""
    return _found(
        ("claim", "who says so", "outcome", "what decided"),
        lambda one: (
            f"`{one['name']}`: {one['statement']}",
            f"[{one['source']}]({one['link']})",
            one["outcome"],
            one["decided"],
        ),
    )
