"""The words at the top of a report: what was compared, on what, and what can be concluded and what not. Pure."""

from collections import Counter
from typing import Any

from markupsafe import Markup

from testbed.plan import cells
from testbed.plan.axes import AXES
from testbed.plan.redo import is_redo
from testbed.plan.schema import Sweep
from testbed.report import choice, cost, work
from testbed.report.glossary import in_short
from testbed.report.html import bullets, joined, swatch
from testbed.report.ranking import nothing
from testbed.report.view import View, axis_text, percent, size
from testbed.results import searches
from testbed.statistics import CONFIDENCE, FEWEST_BLOCKS, NOISY_CV

# More than these lines in sight are read by nobody.
MOST_LINES = 6
MOST_REASONS = 40

VERDICTS = {
    "server-bound": "the server was at its limit: its throughput is what it can do",
    "not-saturated": "the server could have done more: its throughput is what the load asked for",
    "client-bound": "the load generator was at its limit: the server may be capable of more; marked by hollow markers",
    "invalid": "a check failed, so its numbers do not mean what they say; left out of every median, marked by crosses",
}


def lead(view: View) -> Markup:
    """Everything above the first section."""
    parts = [
        Markup("<p>{}</p>").format(_opening(view)),
        _short_answer(view),
        _facts(view),
        Markup(
            '<div class="pair"><div><h3>What can be concluded</h3>{}</div><div><h3>What cannot</h3>{}</div></div>'
        ).format(bullets(can(view)), bullets(cannot(view))),
        _cautions(view),
    ]
    return Markup("\n").join(parts)


def _opening(view: View) -> str:
    count = len(view.models)
    what = (
        "Runs started by hand from the web page"
        if view.results.by_hand
        else "A search for the highest rate of requests that each model sustains"
        if view.results.is_search
        else "A measurement under load"
    )
    how = (
        "each run with the settings that were chosen in the page"
        if view.results.by_hand
        else "each in a fresh container under the same limits, given the same requests"
    )
    return (
        f"{what}: {count} way{'s' if count != 1 else ''} of building the same TCP server (concurrency models: who "
        f"accepts connections, and which process or thread serves them), {how}."
    )


def _short_answer(view: View) -> Markup:
    ranked = choice.conditions(view)
    lines = []
    for when in ranked[:MOST_LINES]:
        told = choice.in_words(view, when)
        fallback = choice.setting("cpus", view.fixed.get("cpus"))
        lines.append(Markup("{}: {}.").format(told or fallback, choice.advice(choice.rankings(view, when))))
    shown = bullets(lines)
    more = Markup('<a href="#choice">Which model</a> says of each how sure that is, and what else differs.')
    if len(ranked) > MOST_LINES:
        grid = choice.overview(view)
        rest = len(ranked) - MOST_LINES
        shown = grid or Markup("{}<p>And {} more conditions.</p>").format(shown, rest)
        shown += Markup("<p>{}{}</p>").format(_grid_words(view) if grid else "", more)
    row = view.groups[0].rows[0] if view.groups else {}
    kinds = {work.kind(group.rows[0]) for group in view.groups}
    kind = f" for {kinds.pop()}" if len(kinds) == 1 and row else ""
    if (cpus := view.fixed.get("cpus")) is not None and view.axes:
        kind = f" at {choice.setting('cpus', cpus)}{kind}"
    return Markup(
        '<div class="answer"><p><strong>In short, which model{}:</strong></p>{}<p class="note">{}</p></div>'
    ).format(
        kind,
        shown,
        "p99 latency: 99 % of requests were answered within it. Confidence is that of each comparison by itself.",
    )


def _grid_words(view: View) -> str:
    """How to read the table of models to choose."""
    if view.results.is_search:
        first = "In each cell: the models of which none is shown to hold a higher rate than another. "
    else:
        first = (
            "In each cell: the models than which no other is shown to serve more requests or to have a shorter p99 "
            f"latency, with {percent(CONFIDENCE)} confidence in each comparison. Several: no difference between them "
            "is shown. "
        )
    return f"{first}A hint: too few trials to tell a difference from chance. "


def _facts(view: View) -> Markup:
    row = view.groups[0].rows[0] if view.groups else view.results.rows[0]
    varied = [axis for axis in view.axes if axis.name not in ("cpus", "share")]
    names = {axis.name for axis in view.axes}
    entries: list[tuple[str, object]] = [("Models", _models(view))]
    differs = Markup('differs: see <a href="#choice">Which model</a>')
    if names & {"condition", *_told_in("work")}:
        entries.append(("Work", differs))
    else:
        entries.append(("Work", work.asked(row)))
    if not names & {"condition", *_told_in("load")}:
        entries.append(("Load", work.load(row)))
    if used := cost.told(view):
        entries.append(("CPU time", used))
    if varied:
        entries.append(("Also varied", "; ".join(_values(axis.title, axis.name, axis.values) for axis in varied)))
    entries += [("Limits", _limits(view)), ("Machine", machine(view.results.manifest)), ("Trials", _trials(view))]
    items = Markup("").join(Markup("<dt>{}</dt><dd>{}</dd>").format(name, text) for name, text in entries)
    return Markup("<dl>{}</dl>").format(items)


def _told_in(sentence: str) -> set[str]:
    """The axes of which `work.asked` or `work.load` tells."""
    return {axis.field for axis in AXES if axis.told_in == sentence}


def _models(view: View) -> Markup:
    """Every model with what it is in half a line; the whole of it is under "Models and terms"."""
    told = [Markup("<li>{}<strong>{}</strong>: {}</li>").format(swatch(one), one, in_short(one)) for one in view.models]
    return Markup('<ul class="plain">{}</ul>').format(Markup("").join(told))


def _values(title: str, name: str, values: tuple[Any, ...]) -> str:
    if name == "condition":
        return f"{len(values)} different settings"
    return f"{title}: {', '.join(axis_text(name, value) for value in values)}"


def _limits(view: View) -> str:
    axis = view.axis("cpus")
    values = axis.values if axis else (view.fixed.get("cpus"),)
    known = axis is not None or "cpus" in view.fixed
    cpus = ", ".join(axis_text("cpus", value) for value in values) if known else "CPU limits differ"
    how = {
        "quota": "enforced by a quota: in every tenth of a second the server may use that share, then it stands still",
        "cpuset": "enforced by a set of processors that it may run on",
        "both": "enforced by a quota and by a set of processors",
    }.get(str(view.fixed.get("limit")), "")
    memory = view.fixed.get("memory_bytes")
    parts = [f"{cpus}{', ' + how if how else ''}"]
    if memory:
        parts.append(f"memory {size(memory)} without swap")
    if view.fixed.get("network") == "shared":
        parts.append("load and server share one network namespace: no virtual bridge between them")
    return "; ".join(parts)


def machine(manifest: dict[str, Any]) -> str:
    """Host and engine in a line; "not known" for what is missing."""
    host, engine = manifest.get("host") or {}, manifest.get("engine") or {}
    memory = host.get("memory_bytes")
    parts = [
        f"{host.get('cpus') or 'an unknown number of'} processors ({host.get('cpu_model') or 'model not known'})",
        f"{size(memory)} of memory" if memory else "",
        f"Linux {host['kernel']}" if host.get("kernel") else "",
        f"Docker {engine['ServerVersion']}" if engine.get("ServerVersion") else "",
        f"cgroup v{engine['CgroupVersion']}" if engine.get("CgroupVersion") else "",
    ]
    started = manifest.get("started_utc")
    return ", ".join(filter(None, parts)) + (f"; {started}" if started else "")


def _trials(view: View) -> Markup:
    rows = view.results.rows
    counts = Counter(str(row["verdict"]) for row in rows)
    told = [
        Markup("<li><strong>{} {}</strong>: {}</li>").format(count, kind, VERDICTS.get(kind, ""))
        for kind, count in ((kind, counts[kind]) for kind in (*VERDICTS, *(k for k in counts if k not in VERDICTS)))
        if count
    ]
    blocks = len({row["block"] for row in rows})
    repeats = (
        ""
        if view.results.by_hand
        else f" in {blocks} block{'s' if blocks != 1 else ''}, each with every combination once"
    )
    one = "one run from the page" if view.results.by_hand else "one fresh server container under load"
    text = f"{len(rows)} trial{'s' if len(rows) != 1 else ''}{repeats}; a trial is {one}."
    planned = planned_trials(view)
    if planned and planned > sum(not is_redo(row) for row in rows):
        text += (
            f" {planned} were planned: the sweep was cut off or is still running, and can be completed with --resume."
        )
    if again := sum(map(is_redo, rows)):
        text += (
            f" {again} of them measured a disturbed trial again: of each two, the one counts that less was stolen from."
        )
    if lacking := _searches_not_over(view):
        text += (
            f" {lacking} searches are not over: the sweep was cut off or is still running, and can be completed with "
            "--resume."
        )
    if view.left_out:
        text += f" {view.left_out} of them are steps of the searches and show only in the table of trials."
    return Markup("{}<ul>{}</ul>").format(text, Markup("").join(told))


def planned_trials(view: View) -> int | None:
    """How many trials the sweep has; None for a search, and where it is not known."""
    sweep = None if view.results.is_search else _planned(view)
    return None if sweep is None else len(cells.trials(sweep))


def _searches_not_over(view: View) -> int:
    """How many searches of the plan have neither an answer nor a reason why there is none."""
    sweep = _planned(view) if view.results.is_search else None
    over = {answer["trial_id"] for answer in view.results.capacity}
    return 0 if sweep is None else sum(one.trial_id not in over for one in cells.searches(sweep))


def _planned(view: View) -> Sweep | None:
    """The sweep as it was asked for; None where that is not known."""
    if view.results.by_hand or not view.results.sweep:
        return None
    from testbed.errors import UserError
    from testbed.plan import sweepfile
    from testbed.plan.fields import Machine

    host = view.results.manifest.get("host") or {}
    known = Machine(host.get("cpus") or 1, host.get("memory_bytes") or 2**60)
    try:
        path = view.results.path / "sweep.yaml"
        return sweepfile.load(path, known)
    except UserError:
        return None


def can(view: View) -> list[str]:
    """What these results show."""
    found = [choice.rankings(view, when) for when in choice.conditions(view)]
    rates = [next(iter(one.values())) for one in found]
    shown = sum(bool(one.behind) and one.certain for one in rates)
    lines = []
    fewer = "sustain a lower rate" if view.results.is_search else "serve fewer requests"
    if shown:
        lines.append(
            f"In {shown} of {len(rates)} conditions some models {fewer} than the first, with "
            f"{percent(CONFIDENCE)} confidence each: see Which model."
        )
    none = sum(one.leader is None for one in rates)
    if none:
        lines.append(f"In {none} of {len(rates)} conditions nothing: {nothing(rates)}.")
    few = sum(not one.certain for one in rates)
    if few:
        lines.append(
            f"In {few} of {len(rates)} conditions the trials are too few to tell a difference from chance: the order "
            "of the models is a hint."
        )
    alone = sum(len(one.places) == 1 and one.leader is not None for one in rates)
    if alone:
        lines.append(f"In {alone} of {len(rates)} conditions only one model was measured: there is nothing to choose.")
    same = len(rates) - shown - few - none - alone
    if same:
        lines.append(
            f"In {same} of {len(rates)} conditions no difference in requests served is shown between any models: "
            "choose by latency, CPU time or memory."
        )
    if any(row["verdict"] == "server-bound" for row in view.results.rows):
        lines.append("Where trials are server-bound, throughput is the server's own capacity under its limit.")
    lines.append(
        "Every reply was compared with its request, and where the server's own count is known it was compared with the "
        "client's."
    )
    return lines


def cannot(view: View) -> list[str]:
    """What nobody should read into them."""
    lines = ["What holds on another machine, under other work, or with more users than here."]
    rows = [row for group in view.groups for row in group.good]
    most = max((len(group.good) for group in view.groups), default=0)
    if not most and view.results.is_search:
        lines.append("Anything about a model: no search has an answer, for the reasons below.")
    elif not most:
        lines.append("Anything about a model: every trial is invalid, for the reasons below.")
    elif most < FEWEST_BLOCKS:
        lines.append(
            f"How sure any difference is: {most} trial{'s' if most != 1 else ''} per combination "
            f"show{'s' if most == 1 else ''} no spread, so no interval is given. `repeat: 5` gives one."
        )
    elif most < 6:
        lines.append(
            f"Small differences: with {most} trials per combination an interval of a ratio is wide, and the bars in "
            f"the figures are the whole range of the trials, which holds the median with "
            f"{percent(1 - 2.0 ** (1 - most))} confidence."
        )
    if any(row["verdict"] == "not-saturated" for row in rows):
        lines.append("The capacity of servers that were not saturated: they were not asked for all they can do.")
    if any(row["verdict"] == "client-bound" for row in rows):
        lines.append("The capacity of servers whose trials are client-bound: the generator was the limit.")
    if {row["mode"] for row in rows} == {"closed"}:
        lines.append(
            "What users meet who do not wait for each other: in a closed loop a user who waits sends nothing, so a "
            "stall is counted once per user. An open loop (`mode: open`) counts everyone."
        )
    return lines


def _cautions(view: View) -> Markup:
    """Warnings, drift of the machine, and the trials that do not count, with reasons."""
    of_sweep = view.results.summary["warnings"]
    warnings = [*view.results.problems, *drift(view), *of_sweep]
    shown, rest = warnings[:MOST_LINES], warnings[MOST_LINES:]
    parts = [Markup("<h3>Warnings and drift</h3>")]
    parts.append(bullets(shown) if warnings else Markup("<p>None.</p>"))
    if rest:
        parts.append(
            Markup("<details><summary>{} more warnings</summary>{}</details>").format(len(rest), bullets(rest))
        )
    if unanswered := searches.not_answered(view.results.capacity):
        lines = [Markup("<code>{}</code>").format(line) for line in unanswered]
        parts.append(
            Markup("<details data-print{}><summary>Searches without an answer: {}</summary>{}</details>").format(
                Markup(" open" if len(unanswered) <= MOST_LINES else ""), len(unanswered), bullets(lines)
            )
        )
    for kind in ("invalid", "client-bound", "disturbed"):
        marked = [row for row in view.results.rows if row["verdict"] == kind or (kind == "disturbed" and row[kind])]
        if not marked:
            continue
        lines = [Markup("<code>{}</code>: {}").format(row["trial_id"], row["reasons"]) for row in marked[:MOST_REASONS]]
        if len(marked) > MOST_REASONS:
            lines.append(Markup("and {} more: see the table of trials.").format(len(marked) - MOST_REASONS))
        parts.append(
            Markup("<details data-print{}><summary>Why {} trial{} {} {}</summary>{}</details>").format(
                Markup(" open" if len(marked) <= MOST_LINES else ""),
                len(marked),
                "s" if len(marked) != 1 else "",
                "are" if len(marked) != 1 else "is",
                kind,
                bullets(lines),
            )
        )
    return Markup("\n").join(parts)


def drift(view: View) -> list[str]:
    """How much the machine itself changed: the canary between blocks, the calibration within its seconds."""
    lines = []
    canary = view.results.summary["canary"]
    if canary:
        values = list(canary["throughput_rps"].values())
        spread = canary["coefficient_of_variation"]
        told = f"{min(values):,.0f} to {max(values):,.0f} requests/s"
        verdict = "" if spread is None else f", a standard deviation of {percent(spread)} of the mean"
        noisy = "; ratios within blocks cancel it, medians do not" if spread and spread > NOISY_CV else ""
        lines.append(
            f"Drift: the same trial (canary) opened each of {len(values)} blocks and served {told}{verdict}{noisy}."
        )
    elif not view.results.by_hand:
        lines.append(
            "Drift of the machine between blocks is not known: the sweep had no canary (`order: {canary: true}`)."
        )
    samples = (view.results.manifest.get("calibration") or {}).get("samples") or []
    ordered = sorted(float(one) for one in samples)
    if len(ordered) >= 10 and ordered[0] > 0:
        low, high = ordered[len(ordered) // 10], ordered[-1 - len(ordered) // 10]
        if high / low > 1 + 2 * NOISY_CV:
            lines.append(
                f"The machine's speed moved by a factor of {high / low:.2f} within the calibration: CPU work called "
                "1 ms may have taken that much more or less, the same for all models."
            )
    return lines


def title(view: View) -> str:
    names = joined(view.models[:3], "and") if len(view.models) <= 3 else f"{len(view.models)} concurrency models"
    what = "runs from the web page" if view.results.by_hand else view.results.sweep.get("name") or view.results.name
    return f"Threadmill report: {what}, {names}"
