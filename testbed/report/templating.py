"""Our templates, filled: what a value holds is escaped, unless it is HTML made here."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from testbed.report.colours import DARK, look

TEMPLATES = Path(__file__).resolve().parent / "templates"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # The files do not change under a running command.
        auto_reload=False,
    )
    environment.globals["swatch_colours"] = _swatch_colours
    return environment


def _swatch_colours(model: str) -> tuple[str, str]:
    """On light and on dark paper."""
    light = look(model).colour
    return light, DARK.get(light, light)


def fill(template: str, **values: object) -> Markup:
    """A template of templates/ with these values."""
    return Markup(_environment().get_template(template).render(values))


def piece(name: str, *values: object) -> Markup:
    """A macro of templates/pieces.html."""
    macro = getattr(_environment().get_template("pieces.html").module, name)
    return Markup(macro(*values))
