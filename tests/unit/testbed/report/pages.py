"""A report's parts out of made results, and its page as a reader's tool sees it."""

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from markupsafe import Markup

from testbed.report import choice
from testbed.report.advice import advice as advice_of
from testbed.report.derive import derive
from testbed.report.source import read
from testbed.report.view import View, view


def view_of(path: Path) -> View:
    results = read(path)
    derive(results)
    return view(results)


def advice(seen: View, **when: Any) -> str:
    """The sentence that says which model to choose, as text."""
    return text(advice_of(choice.rankings(seen, when)))


def text(html: str) -> str:
    return Markup(html).striptags().replace("\N{NO-BREAK SPACE}", " ")


class Page(HTMLParser):
    """What a browser would make of a page, as far as these tests ask."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.addresses: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        self.addresses += [value for name in ("src", "href") if (value := found.get(name))]

    def count(self, tag: str, **attributes: str) -> int:
        return sum(
            name == tag and all(found.get(key) == value for key, value in attributes.items())
            for name, found in self.tags
        )
