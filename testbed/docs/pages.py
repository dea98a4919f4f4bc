"""Where each of the tables stands, and whether it is up to date there."""

import re
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

from testbed import docs
from testbed.docs import claims, columns, program, verdicts
from testbed.errors import UserError
from testbed.files import write_atomically

_IN_PAGE = re.compile(r"<!-- made by `make docs`: (?P<name>[\w-]+) -->\n.*?<!-- end of (?P=name) -->", re.DOTALL)
_IN_YAML = re.compile(
    r"^(?P<indent> *)# made by `make docs`: (?P<name>[\w-]+)\n.*?^ *# end of (?P=name)$", re.DOTALL | re.MULTILINE
)

PARTS: dict[str, Callable[[], str]] = {
    "keys": program.sweep_keys,
    "trial-columns": columns.trial_columns,
    "capacity-columns": columns.capacity_columns,
    "gates": verdicts.gates,
    "thresholds": verdicts.limits,
    "triggers": program.triggers,
    "make-targets": program.make_targets,
    "claims": claims.claims,
    "claims-decided": claims.claims_decided,
    "claims-again": claims.claims_again,
    "targets": program.targets,
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
    beside = [docs.DOCS.parent / name for name in ("README.md", "docker-compose.yml")]
    every = [*sorted(docs.DOCS.rglob("*.md")), *(page for page in beside if page.exists())]
    return [page for page in every if made_in(page.read_text(encoding="utf-8"))]


def main() -> int:
    """Write what is behind; one line for each page that changed."""
    for page in pages():
        text = page.read_text(encoding="utf-8")
        try:
            now = up_to_date(text)
        except UserError as error:
            print(f"{page.relative_to(docs.DOCS.parent)}: {error}", file=sys.stderr)
            return 2
        if now != text:
            write_atomically(page, now)
            print(f"written: {page.relative_to(docs.DOCS.parent)}")
    return 0
