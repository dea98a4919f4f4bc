"""What can be concluded from the results of a report and what cannot, and how much the machine drifted. Pure."""

from testbed.report import choice, systems
from testbed.report.ranking import nothing
from testbed.report.view import View, percent
from testbed.statistics import CONFIDENCE, FEWEST_BLOCKS, NOISY_CV


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
    if alone and systems.is_only(view):
        lines.append("Between systems, of what stands around the server and of what changes them: see Which system.")
    elif alone:
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
    if any(row["verdict"] == "front-bound" for row in rows):
        lines.append("The capacity of servers whose trials are front-bound: what stands before them was the limit.")
    if any(row["verdict"] == "backend-bound" for row in rows):
        lines.append("The capacity of servers whose trials are backend-bound: what stands behind them was the limit.")
    if any(row["verdict"] == "transient" for row in rows):
        lines.append("Any capacity from transient trials: load, limits or replicas changed while they were measured.")
    if {row["mode"] for row in rows} == {"closed"}:
        lines.append(
            "What users meet who do not wait for each other: in a closed loop a user who waits sends nothing, so a "
            "stall is counted once per user. An open loop (`mode: open`) counts everyone."
        )
    return lines


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
