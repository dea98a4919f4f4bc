"""Small pieces of HTML. Everything that is not Markup is escaped."""

from collections.abc import Iterable, Mapping, Sequence

from markupsafe import Markup, escape

from testbed.report.colours import DARK, look


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
    if isinstance(text, Markup):
        return text
    parts = str(text).split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if odd % 2 else part for odd, part in enumerate(parts)
    )


def bullets(lines: Iterable[object], style: str = "") -> Markup:
    """A list; nothing for no lines."""
    items = Markup("").join(Markup("<li>{}</li>").format(rich(line)) for line in lines)
    return Markup('<ul class="{}">{}</ul>').format(style, items) if items else Markup("")


def swatch(model: str) -> Markup:
    """A spot of a model's colour, on light and on dark paper."""
    light = look(model).colour
    return Markup('<span class="swatch" style="--light:{};--dark:{}"></span>').format(light, DARK.get(light, light))


def heads(columns: Iterable[tuple[str, bool]]) -> Markup:
    """The heading row: text, and whether the column holds numbers."""
    cells = (Markup('<th scope="col"{}>{}</th>').format(_class(numeric), text) for text, numeric in columns)
    return Markup("<tr>{}</tr>").format(Markup("").join(cells))


def _class(numeric: bool) -> Markup:
    return Markup(' class="n"') if numeric else Markup("")


def table(
    head: Markup,
    rows: Iterable[Sequence[object]],
    numeric: Iterable[int] = (),
    attributes: Sequence[Mapping[str, str]] | None = None,
) -> Markup:
    """A table. `numeric` are the places of columns of numbers; `attributes` of each row, in order."""
    places = frozenset(numeric)
    lines = []
    for index, row in enumerate(rows):
        cells = Markup("").join(
            Markup("<td{}>{}</td>").format(_class(place in places), "" if cell is None else cell)
            for place, cell in enumerate(row)
        )
        given = attributes[index] if attributes else {}
        told = Markup("").join(Markup(' {}="{}"').format(name, value) for name, value in given.items())
        lines.append(Markup("<tr{}>{}</tr>").format(told, cells))
    return Markup("<table><thead>{}</thead><tbody>{}</tbody></table>").format(head, Markup("\n").join(lines))
