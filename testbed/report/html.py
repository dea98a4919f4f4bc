"""Small pieces of HTML, of templates/pieces.html. Everything that is not Markup is escaped."""

from collections.abc import Iterable, Mapping, Sequence

from markupsafe import Markup, escape

from testbed.report.templating import piece


def joined(parts: Sequence[object], word: str, always: bool = False) -> Markup:
    """`a, b and c`; with `always` the word between all: `a, then b, then c`."""
    texts = [escape(part) for part in parts]
    if always:
        return Markup(f", {word} ").join(texts)
    if len(texts) < 2:
        return Markup("").join(texts)
    return Markup("{} {} {}").format(Markup(", ").join(texts[:-1]), word, texts[-1])


def rich(text: object) -> Markup:
    """Text in which what stands between backticks is code."""
    return piece("rich", text)


def bullets(lines: Iterable[object], style: str = "") -> Markup:
    """A list; nothing for no lines."""
    return piece("bullets", list(lines), style)


def swatch(model: str) -> Markup:
    """A spot of a model's colour, on light and on dark paper."""
    return piece("swatch", model)


def heads(columns: Iterable[tuple[str, bool]]) -> Markup:
    """The heading row: text, and whether the column holds numbers."""
    return piece("heads", list(columns))


def table(
    head: Markup,
    rows: Iterable[Sequence[object]],
    numeric: Iterable[int] = (),
    attributes: Sequence[Mapping[str, str]] | None = None,
) -> Markup:
    """A table. `numeric` are the places of columns of numbers; `attributes` of each row, in order."""
    return piece("table", head, list(rows), frozenset(numeric), attributes)


def scroll(label: str, inside: Markup) -> Markup:
    """What may be wider than the page, as a region of its own that can be moved and has a name."""
    return piece("scroll", label, inside)
