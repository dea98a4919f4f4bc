"""The tables in docs/ that are made from the program's own: `python -m testbed.docs`, or `make docs`, writes them anew.

A page has them between two comments, and so has docker-compose.yml what it has to know of the models:

    <!-- made by `make docs`: keys -->
    <!-- end of keys -->

    # made by `make docs`: targets
    # end of targets
"""

import json
import re
import sys
import textwrap
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from servers.models import SERVERS, TABLE
from servers.models.traits import Size
from testbed.claims.catalogue import CLAIMS
from testbed.errors import UserError
from testbed.files import write_atomically
from testbed.judge import rules, thresholds
from testbed.names import http_name
from testbed.plan import keys
from testbed.plan.cell import Cell
from testbed.report.facts import machine
from testbed.report.readings import TRIGGERS
from testbed.results.columns import COLUMNS
from testbed.results.searches import CAPACITY_COLUMNS
from testbed.units import format_us

DOCS = Path(__file__).resolve().parents[1] / "docs"

_IN_PAGE = re.compile(r"<!-- made by `make docs`: (?P<name>[\w-]+) -->\n.*?<!-- end of (?P=name) -->", re.DOTALL)
_IN_YAML = re.compile(
    r"^(?P<indent> *)# made by `make docs`: (?P<name>[\w-]+)\n.*?^ *# end of (?P=name)$", re.DOTALL | re.MULTILINE
)

# The columns that are neither a trial's name nor what was set, by what they tell. Each one that no line names comes
# under "Others".
_GROUPS: dict[str, tuple[str, ...]] = {
    "How it was judged": ("status", "verdict", "unsteady", "disturbed", "reasons"),
    "What users saw": (
        "users_starved",
        *("throughput_rps", "latency_p50_us", "latency_p90_us", "latency_p99_us", "latency_max_us"),
        *("echo_p50_us", "echo_p99_us"),
        *("service_time_p50_us", "service_time_p99_us", "send_lag_p99_us", "dispatch_lag_p99_us", "holders_held"),
        *("offered", "missed", "achieved_over_offered", "ok", "failed", "in_flight"),
    ),
    "What the server spent": (
        *("cpu_used_s", "cpu_us_per_request", "window_s", "throttled_periods", "periods", "throttled_s"),
        *("memory_peak_bytes", "pss_bytes", "oom_kills", "voluntary_switches", "involuntary_switches"),
        *("accept_queue_max", "listen_overflows", "imbalance", "server_served"),
    ),
    "What the front and the sidecars spent": (
        *("front_cpu_s", "front_cpu_us_per_request", "front_connections", "front_queue_max"),
        *("front_retries", "amplification", "breaker_refused", "sidecar_cpu_s", "sidecar_cpu_us_per_request"),
    ),
    "What a fault did": ("connections_lost", "outage_s", "outage_over", "ejected_after_s", "back_after_s"),
    "What a cache before the servers has answered": ("edge_hit_ratio", "edge_cached", "edge_age_max_s"),
    "What a gateway let through": (
        "limited",
        "limited_share",
        "service_rps",
        "service_p50_us",
        "service_p99_us",
        "service_limited",
    ),
    "What stands behind the servers": (
        *("behind_cpu_s", "behind_cpu_us_per_request", "cache_hit_ratio", "cache_fetches"),
        *("pool_waits", "pool_wait_mean_us"),
        *("messages_sent", "messages_waiting", "messages_done", "messages_repeated", "messages_lost", "messages_late"),
        *("stale", "reads_checked", "stale_share"),
        *("read_p50_us", "read_p99_us", "write_p50_us", "write_p99_us", "backend_errors", "backend_error_names"),
    ),
    "What measuring cost": (
        *("generator_cpu_share", "probe_cpu_share", "speed_drift", "server_steal_share", "generator_steal_share"),
        "overhead_s",
    ),
}

_FOLLOWS: dict[rules.Role, str] = {
    "invalidates": "`invalid`",
    "generator short": "`client-bound`",
    "off schedule": "`client-bound`, unless server or front is saturated",
    "flag": "shown, changes no verdict",
}


def _table(heads: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    rows = [list(heads), *map(list, lines)]
    cells = [" | ".join(cell.replace("|", "\\|") for cell in row) for row in rows]
    rule = "|" + "---|" * len(rows[0])
    return "\n".join([f"| {cells[0]} |", rule, *(f"| {one} |" for one in cells[1:])]) + "\n"


def sweep_keys() -> str:
    """The keys of a sweep file."""
    lines = ((f"`{row.key}`", row.allowed, row.default or "needed", row.meaning) for row in keys.rows())
    return _table(("key", "allowed", "left out", "meaning"), lines)


def _groups() -> dict[str, list[str]]:
    """Headings to the names of columns, every column once."""
    named = {column for columns in _GROUPS.values() for column in columns}
    free = [column for column in COLUMNS if column not in named]
    # What identifies a trial stands before the first axis.
    first = next(place for place, column in enumerate(free) if column in Cell.__annotations__)
    which, rest = free[:first], free[first:]
    groups = {"Which trial": which, "What was set": [column for column in rest if column in Cell.__annotations__]}
    groups |= {heading: [column for column in COLUMNS if column in columns] for heading, columns in _GROUPS.items()}
    others = [column for column in rest if column not in Cell.__annotations__]
    return groups | ({"Others": others} if others else {})


def trial_columns() -> str:
    """The columns of trials.csv, by what they tell."""
    parts = []
    for heading, columns in _groups().items():
        parts.append(f"### {heading}\n\n")
        parts.append(_table(("column", "meaning"), ((f"`{name}`", COLUMNS[name]) for name in columns)))
        parts.append("\n")
    return "".join(parts)


def capacity_columns() -> str:
    """The columns of capacity.csv besides those of the combination."""
    return _table(("column", "meaning"), ((f"`{name}`", meaning) for name, meaning in CAPACITY_COLUMNS.items()))


def gates() -> str:
    """The gates in the order in which they decide."""
    lines = ((f"`{rule.name}`", rule.asks, _FOLLOWS[rule.role], rule.reason) for rule in rules.RULES)
    return _table(("gate", "asks whether", "where it fails", "why"), lines)


def _value(limit: thresholds.Limit) -> str:
    match limit.unit:
        case "share":
            return f"{limit.value * 100:g} %"
        case "us":
            return format_us(limit.value)
        case "s":
            return f"{limit.value:g}s"
        case "seconds":
            return f"{limit.value:g} whole seconds"


def limits() -> str:
    """Every number a verdict depends on."""
    lines = ((f"`{one.name}`", _value(one), f"`{one.decides}`", one.reason) for one in thresholds.limits())
    return _table(("threshold", "value", "decides", "why so much"), lines)


def triggers() -> str:
    """The readings that may tell that more is needed, and from where on."""
    lines = ((one.title, one.reads, f"{one.threshold:g}", one.reason) for one in TRIGGERS)
    return _table(("reading", "what it is, once a second", "fires from", "why so much"), lines)


def make_targets() -> str:
    """What can be made, as `make help` says it."""
    text = (DOCS.parent / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z-]+):.*?## (.*)$", text, re.MULTILINE)
    return _table(("target", "what it does"), ((f"`make {name}`", what) for name, what in targets))


def targets() -> str:
    """What Locust's containers are told of the models where they are started by hand."""
    sequential = [name for name in SERVERS if TABLE[name].slots_of(Size(2, 2)) == 1]
    one_at_a_time = ",".join([*sequential, *map(http_name, sequential)])
    # Those that speak HTTP are named by who starts one: the page has no use for twice as many that are not up.
    targets = ",".join([*SERVERS, "${MORE_TARGETS-}"])
    return f"TARGETS: {targets}\nONE_AT_A_TIME: {one_at_a_time} # not what the page offers first\n"


def _measured() -> dict[str, Any] | None:
    """The claims.json of the run that docs/ tells of; None where there is none. UserError where a claim is another one
    now: what was found is not of it."""
    path = DOCS / "claims.json"
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
    return f"{how}Measured on {machine(told)}.\n\n{_table(heads, map(line, told['claims']))}"


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


PARTS: dict[str, Callable[[], str]] = {
    "keys": sweep_keys,
    "trial-columns": trial_columns,
    "capacity-columns": capacity_columns,
    "gates": gates,
    "thresholds": limits,
    "triggers": triggers,
    "make-targets": make_targets,
    "claims": claims,
    "claims-decided": claims_decided,
    "targets": targets,
}


def up_to_date(text: str) -> str:
    """The page with what is made in it as the program has it now. UserError for a part that nothing makes."""

    def made(name: str) -> str:
        if name not in PARTS:
            raise UserError(f"made by `make docs`: found {name!r}, allowed: {', '.join(PARTS)}")
        return PARTS[name]().strip()

    def in_page(found: re.Match[str]) -> str:
        name = found["name"]
        return f"<!-- made by `make docs`: {name} -->\n\n{made(name)}\n\n<!-- end of {name} -->"

    def in_yaml(found: re.Match[str]) -> str:
        name = found["name"]
        lines = f"# made by `make docs`: {name}\n{made(name)}\n# end of {name}"
        return textwrap.indent(lines, found["indent"])

    return _IN_YAML.sub(in_yaml, _IN_PAGE.sub(in_page, text))


def made_in(text: str) -> list[str]:
    """The names of the parts that this page has."""
    return [found["name"] for marked in (_IN_PAGE, _IN_YAML) for found in marked.finditer(text)]


def pages() -> list[Path]:
    """The pages that have something made in them, README.md and docker-compose.yml among them."""
    beside = [DOCS.parent / name for name in ("README.md", "docker-compose.yml")]
    every = [*sorted(DOCS.rglob("*.md")), *(page for page in beside if page.exists())]
    return [page for page in every if made_in(page.read_text(encoding="utf-8"))]


def main() -> int:
    """Write what is behind; one line for each page that changed."""
    for page in pages():
        text = page.read_text(encoding="utf-8")
        try:
            now = up_to_date(text)
        except UserError as error:
            print(f"{page.relative_to(DOCS.parent)}: {error}", file=sys.stderr)
            return 2
        if now != text:
            write_atomically(page, now)
            print(f"written: {page.relative_to(DOCS.parent)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
