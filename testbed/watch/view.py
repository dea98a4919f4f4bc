"""One look at a server as lines of text, for any width and height. Pure."""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.text import Text

from testbed.units import format_bytes, format_clock
from testbed.watch.load import Load
from testbed.watch.rows import Row, columns, rows
from testbed.watch.target import Target

Line = dict[str, Any]

# Narrower than this nothing is left of the tree's first column; lower, nothing of the tree.
LEAST_WIDTH = 60
LEAST_HEIGHT = 12
_LABEL_WIDTH = 14
_VALUE_WIDTH = 22
_BAR_WIDTH = 16
_HISTORY_FROM_WIDTH = 110
_HISTORY_LENGTH = 30
_SPARKS = " ▁▂▃▄▅▆▇█"


@dataclass(frozen=True)
class Look:
    """What is known at one moment. `line` is the probe's, see probe/live.py."""

    target: Target
    line: Line
    load: Load | None
    uptime_s: float
    loaded_as: tuple[str, ...] = ()
    """What a load's target may be called that reaches it; its model where nothing is said."""

    @property
    def load_in_words(self) -> str:
        """What the generator does to it."""
        return load_in_words(self.load, self.loaded_as or (self.target.model,))

    def as_json(self) -> dict[str, Any]:
        """For scripts: one object."""
        target = self.target
        return {
            **self.line,
            "model": target.model,
            "role": target.role,
            "container": target.name,
            "run_id": target.run_id,
            "trial_id": target.trial_id,
            "uptime_s": round(self.uptime_s, 1),
            "load": None if self.load is None else asdict(self.load),
        }


def number(value: float | None) -> str:
    """With thousands marked; one decimal only where it is needed to be more than nothing; `-` where not known."""
    if value is None:
        return "-"
    return f"{value:.1f}" if 0 < value < 9.95 and not float(value).is_integer() else f"{value:,.0f}"


def per_second(grown: float | None, seconds: float | None) -> float | None:
    return None if grown is None or not seconds else grown / seconds


def bar(share: float | None, plain: bool) -> Text:
    """How much of a limit is used; empty where there is no limit."""
    if share is None:
        return Text(" " * (_BAR_WIDTH + 6))
    full = min(_BAR_WIDTH, max(0, round(share * _BAR_WIDTH)))
    style = "green" if share < 0.7 else "yellow" if share < 0.9 else "red"
    whole, empty = ("#", ".") if plain else ("█", "░")
    return Text.assemble((whole * full, style), (empty * (_BAR_WIDTH - full), "dim"), f"{share:6.0%}")


def too_small(width: int, height: int | None) -> Text | None:
    """What is shown where there is no room for anything else."""
    if width >= LEAST_WIDTH and (height is None or height >= LEAST_HEIGHT):
        return None
    text = f"{width} x {height or 'any'}: too small, {LEAST_WIDTH} x {LEAST_HEIGHT} is needed"
    return Text(text[: max(1, width)])


class View:
    """Makes lines of looks, and remembers some of what it saw for the small charts of a wide terminal."""

    def __init__(self, plain: bool = False) -> None:
        """`plain`: ASCII only, where the terminal's encoding has nothing else."""
        self._plain = plain
        self._history: dict[str, deque[float]] = {}

    def lines(self, look: Look, width: int, height: int | None) -> list[Text]:
        """At most `height` lines of at most `width` columns; None: as many lines as it takes."""
        if small := too_small(width, height):
            return [small]
        found = [*self._head(look, width), Text(), *self._figures(look, width)]
        room = None if height is None else height - len(found) - 2
        tree = rows(look.target.model, look.line["tree"], room, self._plain)
        found += [Text(), *columns(tree, look.line["tree"], width)]
        for line in found:
            line.truncate(width, overflow="crop" if self._plain else "ellipsis")
        return found[:height]

    def _head(self, look: Look, width: int) -> Iterator[Text]:
        target = look.target
        up = f"up {format_clock(look.uptime_s)}"
        limits = [
            "no CPU limit" if target.cpus is None else f"{target.cpus:g} CPU{'' if target.cpus == 1 else 's'}",
            *([] if target.cpuset is None else [f"on CPU {target.cpuset}"]),
            "no memory limit" if target.memory_bytes is None else format_bytes(target.memory_bytes),
        ]
        head = Text.assemble((target.model, "bold"), "  ", ", ".join(limits))
        yield Text.assemble(head, " " * max(2, width - len(head) - len(up)), up)
        if target.run_id is None:
            yield Text(target.name, style="dim")
        else:
            yield Text.assemble(("sweep ", "dim"), target.run_id, ("  trial ", "dim"), target.trial_id or "-")

    def _figures(self, look: Look, width: int) -> Iterator[Text]:
        line, target, tree = look.line, look.target, look.line["tree"]
        seconds, grown = line["seconds"], line["since_last"]

        def row(label: str, value: str, share: float | None, note: str, history: float | None, style: str = "") -> Text:
            text = Text.assemble((f"{label:<{_LABEL_WIDTH}}", "dim"), f"{value:<{_VALUE_WIDTH}} ")
            text.append_text(bar(share, self._plain)).append("  ").append(note, style)
            if width >= _HISTORY_FROM_WIDTH and history is not None:
                text = self._with_history(text, label, history, width)
            text.rstrip()
            return text

        cpus = line["cpus"]
        limit = target.cpus
        used = (
            "-"
            if cpus is None
            else f"{cpus:.2f}" + (f" of {limit:g} CPU{'' if limit == 1 else 's'}" if limit else " CPUs")
        )
        parts = [per_second(grown[name], seconds) for name in ("user_us", "system_us")]
        split = "" if None in parts else f"user {(parts[0] or 0) / 1e6:.2f}, sys {(parts[1] or 0) / 1e6:.2f}"
        yield row("CPU", used, cpus / limit if cpus is not None and limit else None, split, cpus)

        periods, stopped, stopped_us = (grown[n] for n in ("periods", "throttled_periods", "throttled_us"))
        share = stopped / periods if periods else None
        value = "-" if stopped is None else f"{stopped} of {periods} periods"
        for_ms = per_second(stopped_us, seconds)
        note = "" if for_ms is None or not stopped else f"{for_ms / 1000:,.0f} ms/s"
        yield row("throttled", value, share, note, None if share is None else share, "red" if stopped else "")

        memory, most = line["memory_now_bytes"], target.memory_bytes
        value = "-" if memory is None else format_bytes(memory) + (f" of {format_bytes(most)}" if most else "")
        peak = line["memory_peak_bytes"]
        note = "" if peak is None else f"peak {format_bytes(peak)}"
        if line["oom_kills"]:
            note = f"{number(line['oom_kills'])} OOM kills"
        yield row("memory", value, memory / most if memory is not None and most else None, note, None)

        waiting, room = line["accept_queue"], line["accept_queue_limit"]
        value = number(waiting) + (f" of {number(room)} waiting" if room else " waiting")
        fresh, all_of_it = grown["listen_overflows"], line["listen_overflows"]
        note = f"{number(all_of_it)} overflows" + (f", {number(per_second(fresh, seconds))}/s" if fresh else "")
        share = waiting / room if waiting is not None and room else None
        yield row("accept queue", value, share, note, waiting, "red" if fresh else "")

        yield row("connections", f"{number(line['established'])} established", None, "", line["established"])
        voluntary, involuntary = (tree[f"{kind}_per_s"] for kind in ("voluntary", "involuntary"))
        value = "not known"
        if voluntary is not None and involuntary is not None:
            value = f"{number(voluntary)}/s voluntary, {number(involuntary)}/s involuntary"
        yield row("switches", value, None, "", voluntary)
        load = look.load
        yield row("load", look.load_in_words, None, "", None if load is None else load.requests_per_s)

    def _with_history(self, text: Text, label: str, value: float, width: int) -> Text:
        kept = self._history.setdefault(label, deque(maxlen=_HISTORY_LENGTH))
        kept.append(value)
        if self._plain:
            return text
        most = max(kept)
        steps = len(_SPARKS) - 1
        sparks = "".join(_SPARKS[math.ceil(each / most * steps) if most else 0] for each in kept)
        text.rstrip()
        gap = width - len(text) - len(sparks)
        return text.append(" " * gap).append(sparks, "cyan") if gap > 1 else text


def load_in_words(load: Load | None, names: Sequence[str]) -> str:
    """What the generator does to a target of one of these names."""
    if load is None:
        return "not known (no Locust beside it)"
    if not load.is_running:
        return "none"
    if not load.is_of(*names):
        return f"none here ({load.trial_id} is on another server)"
    if load.requests_per_s is None:
        return f"{load.users} users"
    failed = f", {number(load.failures_per_s)}/s failed" if load.failures_per_s else ""
    return f"{number(load.requests_per_s)} requests/s from {load.users} users{failed}"


__all__ = ["LEAST_HEIGHT", "LEAST_WIDTH", "Look", "Row", "View", "bar", "load_in_words", "number"]
