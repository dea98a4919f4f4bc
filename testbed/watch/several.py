"""One look at several containers as lines of text: a row for each, for any width and height. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

from testbed.units import format_bytes, format_clock
from testbed.watch.view import Look, bar, number, per_second, too_small

_MOST_NAME_WIDTH = 32
_GAP = 2


@dataclass(frozen=True)
class _Column:
    """`width` without the gap before it."""

    name: str
    width: int
    cell: Callable[[Look, bool], Text]
    """Of a look; the flag: ASCII only."""


def _cores(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _cpu(look: Look, _: bool) -> Text:
    used, limit = look.line["cpus"], look.target.cpus
    return Text(_cores(used) + ("" if limit is None else f" of {limit:g}"))


def _share(look: Look, plain: bool) -> Text:
    used, limit = look.line["cpus"], look.target.cpus
    return bar(used / limit if used is not None and limit else None, plain)


def _throttled(look: Look, _: bool) -> Text:
    stopped, periods = (look.line["since_last"][name] for name in ("throttled_periods", "periods"))
    if stopped is None or periods is None:
        return Text("-")
    return Text(f"{stopped / periods:.0%}" if periods else "0%", "red" if stopped else "")


def _memory(look: Look, _: bool) -> Text:
    used, limit = look.line["memory_now_bytes"], look.target.memory_bytes
    return Text("-" if used is None else format_bytes(used) + ("" if limit is None else f" of {format_bytes(limit)}"))


def _queue(look: Look, _: bool) -> Text:
    grown = look.line["since_last"]["listen_overflows"]
    return Text(number(look.line["accept_queue"]), "red" if grown else "")


def _overflows(look: Look, _: bool) -> Text:
    grown = per_second(look.line["since_last"]["listen_overflows"], look.line["seconds"])
    return Text("-" if grown is None else f"{number(grown)}/s", "red" if grown else "")


def _connections(look: Look, _: bool) -> Text:
    return Text(number(look.line["established"]))


def _tasks(look: Look, _: bool) -> Text:
    return Text(number(look.line["tree"]["threads_count"]))


def _voluntary(look: Look, _: bool) -> Text:
    return Text(number(look.line["tree"]["voluntary_per_s"]))


def _involuntary(look: Look, _: bool) -> Text:
    return Text(number(look.line["tree"]["involuntary_per_s"]))


def _up(look: Look, _: bool) -> Text:
    return Text(format_clock(look.uptime_s))


# As they stand beside each other; those with the higher number are left out first where there is no room.
_COLUMNS = (
    (0, _Column("CPU", 13, _cpu)),
    (6, _Column("", 22, _share)),
    (1, _Column("THROTTLED", 9, _throttled)),
    (4, _Column("MEMORY", 18, _memory)),
    (2, _Column("QUEUE", 6, _queue)),
    (7, _Column("OVERFLOWS", 9, _overflows)),
    (0, _Column("CONN", 6, _connections)),
    (3, _Column("THREADS", 7, _tasks)),
    (5, _Column("VOL/S", 8, _voluntary)),
    (5, _Column("INVOL/S", 8, _involuntary)),
    (8, _Column("UP", 8, _up)),
)


class SeveralView:
    def __init__(self, plain: bool = False) -> None:
        """`plain`: ASCII only, where the terminal's encoding has nothing else."""
        self._plain = plain

    def lines(self, looks: Sequence[Look], width: int, height: int | None) -> list[Text]:
        """At most `height` lines of at most `width` columns; None: as many lines as it takes. There is at least one
        look."""
        if small := too_small(width, height):
            return [small]
        found = [*_head(looks), Text(), *self._table(looks, width), Text()]
        found.append(Text(f"processes and threads of one: watch {looks[-1].target.name}", style="dim"))
        for line in found:
            line.truncate(width, overflow="crop" if self._plain else "ellipsis")
        return found if height is None else _fitted(found, height)

    def _table(self, looks: Sequence[Look], width: int) -> Iterator[Text]:
        left = min(_MOST_NAME_WIDTH, max(len(_name(look)) for look in looks))
        columns = _that_fit(width - left)
        head = Text(" " * left)
        for column in columns:
            head.append(" " * _GAP + f"{column.name:>{column.width}}", "dim")
        yield head
        for look in looks:
            row = Text(_name(look), "" if look.target.role == "server" else "cyan")
            row.truncate(left, overflow="crop" if self._plain else "ellipsis", pad=True)
            for column in columns:
                cell = column.cell(look, self._plain)
                cell.truncate(column.width)
                row.append(" " * (_GAP + column.width - len(cell))).append_text(cell)
            yield row


def _name(look: Look) -> str:
    """Of its container, without that of the project, which all have in common."""
    return look.target.name.removeprefix(f"{look.target.project}-")


def _that_fit(room: int) -> list[_Column]:
    """The most important ones, in the order in which they stand."""
    kept = list(_COLUMNS)
    while sum(column.width + _GAP for _, column in kept) > room and len(kept) > 1:
        least = max(rank for rank, _ in kept)
        kept = [one for one in kept if one[0] != least] or kept[:1]
    return [column for _, column in kept]


def _head(looks: Sequence[Look]) -> Iterator[Text]:
    fronts = [look for look in looks if look.target.role == "front"]
    servers = [look for look in looks if look.target.role == "server"]
    title = Text()
    if servers:
        title.append(servers[0].target.model, "bold").append(f", {len(servers)} container{'s'[: len(servers) > 1]}")
    if fronts:
        title.append(" behind " if servers else "").append(", ".join(look.target.model for look in fronts), "bold")
    if any(look.target.role == "sidecar" for look in looks):
        title.append(", each with a sidecar" if len(servers) > 1 else " with a sidecar")
    if parts := [look for look in looks if look.target.is_part]:
        kinds = dict.fromkeys(look.target.model for look in parts)
        title.append(" before " if servers or fronts else "").append(", ".join(kinds), "bold")
    yield title
    target = looks[0].target
    if target.run_id is not None:
        yield Text.assemble(("sweep ", "dim"), target.run_id, ("  trial ", "dim"), target.trial_id or "-")
    if servers:
        used = [look.line["cpus"] for look in servers]
        together = None if None in used else sum(used)
        limits = [look.target.cpus for look in servers]
        of_all = "" if None in limits else f" of {sum(limit or 0.0 for limit in limits):g}"
        yield Text.assemble(("servers together  ", "dim"), f"{_cores(together)}{of_all} CPUs")
    yield Text.assemble(("load              ", "dim"), looks[0].load_in_words)


def _fitted(lines: list[Text], height: int) -> list[Text]:
    """The first of them; the last line says how many there is no room for."""
    if len(lines) <= height:
        return lines
    return [*lines[: height - 1], Text(f"+ {len(lines) - height + 1} lines", style="dim")]
