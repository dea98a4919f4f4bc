"""What a run of the claims has found, as docs/claims.json says it, and a second one, docs/claims-again.json."""

import json
from collections.abc import Callable
from typing import Any

from testbed import docs
from testbed.claims.catalogue import CLAIMS
from testbed.docs.markdown import table
from testbed.errors import UserError
from testbed.report.facts import machine


def _measured(file: str = "claims.json") -> dict[str, Any] | None:
    """What a run has told, of this file of docs/; None where there is none. UserError where a claim is another one now:
    what was found is not of it."""
    path = docs.DOCS / file
    if not path.exists():
        return None
    told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    for one in told["claims"]:
        name = one["name"]
        if name not in CLAIMS or any(getattr(CLAIMS[name], key) != one[key] for key in ("statement", "predicate")):
            raise UserError(f"docs/{file}: {name}: found is another claim than the program has; measure it again")
    return told


def _where(told: dict[str, Any]) -> str:
    how = "With `--quick`: wider intervals. " if told["quick"] else ""
    return f"{how}Measured on {machine(told)}."


def _found(heads: tuple[str, ...], line: Callable[[dict[str, Any]], tuple[str, ...]]) -> str:
    told = _measured()
    if told is None:
        return "Nothing was measured with this version yet.\n"
    return f"{_where(told)}\n\n{table(heads, map(line, told['claims']))}"


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


def claims_again() -> str:
    """How many outcomes of a second run are those of the first, and which are not."""
    first, second = _measured(), _measured("claims-again.json")
    if first is None or second is None:
        return "There was no second run with this version yet.\n"
    before = {one["name"]: one for one in first["claims"]}
    pairs = [(before[one["name"]], one) for one in second["claims"] if one["name"] in before]
    others = [(one, again) for one, again in pairs if one["outcome"] != again["outcome"]]
    turned = sum({one["outcome"], again["outcome"]} == {"holds", "does not hold"} for one, again in others)
    same = f"Of {len(pairs)} outcomes {len(pairs) - len(others)} are those of the first run; "
    told = f"{_where(second)} {same}{turned or 'none'} turned from *holds* to *does not hold* or back."
    if not others:
        return f"{told}\n"
    lines = ((f"`{one['name']}`", *map(_in_short, (one, again))) for one, again in others)
    return f"{told}\n\n{table(('claim', 'first run', 'second run'), lines)}"


def _in_short(one: dict[str, Any]) -> str:
    return f"{one['outcome']}: {one['figure'] or one['decided']}"
