"""How a table is written."""

from collections.abc import Iterable


def table(heads: Iterable[str], lines: Iterable[Iterable[str]]) -> str:
    """A table of Markdown: the heads of its columns, and its lines."""
    rows = [list(heads), *map(list, lines)]
    cells = [" | ".join(cell.replace("|", "\\|") for cell in row) for row in rows]
    rule = "|" + "---|" * len(rows[0])
    return "\n".join([f"| {cells[0]} |", rule, *(f"| {one} |" for one in cells[1:])]) + "\n"
