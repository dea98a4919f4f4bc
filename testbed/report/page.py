"""The shell of our pages: one self-contained HTML file with sections of words, figures and tables.

Nothing is fetched: style, scripts and Plotly lie in the file. Text comes first; figures are drawn as they are scrolled
to, by `static/figures.js`, which also describes what it understands in a figure's `plotly` beyond data and layout.
"""

import base64
import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

from testbed.report.colours import DARK
from testbed.report.templating import fill

HERE = Path(__file__).resolve().parent
STYLES = ("page.css", "table.css", "print.css")
SCRIPTS = ("theme.js", "figures.js", "table.js")


@dataclass(frozen=True)
class Section:
    """A part of the page. `html` is inserted as it is; `title` is text."""

    anchor: str
    title: str
    html: str


@dataclass(frozen=True)
class Figure:
    """A plot with its title, caption (both text) and, under it, its numbers as HTML."""

    id: str
    title: str
    caption: str
    plotly: dict[str, Any]
    """`data` and `layout` as Plotly has them, and what `static/figures.js` adds."""
    numbers_html: str = ""


def embedded_json(value: object) -> Markup:
    """`value` as JSON that may stand in a <script>: nothing in it can close the element. Not-a-number becomes null."""
    text = json.dumps(_finite(value), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def figure_html(figure: Figure) -> str:
    """A figure for a section's `html`."""
    return fill("figure.html", figure=figure, data=embedded_json(figure.plotly))


def render(
    title: str, lead_html: str, sections: Sequence[Section], controls_html: str = "", controls_before: str = ""
) -> str:
    """The whole page. `lead_html` stands above all sections, `controls_html` above the one anchored `controls_before`
    and stays in sight along it.
    """
    return fill(
        "page.html",
        title=title,
        lead=Markup(lead_html),
        sections=[(one.anchor, one.title, Markup(one.html)) for one in sections],
        controls=Markup(controls_html),
        controls_before=controls_before,
        style=Markup("\n".join(static(name) for name in STYLES)),
        script=Markup("\n".join(static(name) for name in SCRIPTS)),
        dark_colours=embedded_json(DARK),
        plotly=_plotly(),
    )


def static(name: str) -> str:
    """A file of static/, such as a style sheet."""
    return (HERE / "static" / name).read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def _plotly() -> str:
    """Plotly's script, deflated, in base64: 2 MB instead of 5, and nothing that an HTML parser could stumble over."""
    # It takes long to load, and only who writes a page needs it.
    from plotly.offline import get_plotlyjs

    packed = zlib.compress(get_plotlyjs().encode(), 9)
    return base64.b64encode(packed).decode()
