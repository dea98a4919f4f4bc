"""Headless Chromium on a page that lies in a file."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from testbed.stack.machine import find_browser


@contextmanager
def chromium() -> Iterator[Browser]:
    executable = find_browser()
    if executable is None:
        pytest.skip("no Chromium: apt-get install chromium, or name it in CHROMIUM")
    with sync_playwright() as playwright:
        # Chromium's own sandbox does not work for root.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=executable, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def shown(browser: Browser, file: Path, width: int = 1440, figures: bool = True, **context: Any) -> Iterator[Page]:
    """The page, with `figures` once they are ready. Whatever it wrote to the console or fetched fails the test at the
    end."""
    page = browser.new_page(viewport={"width": width, "height": 900}, **context)
    page.set_default_timeout(20_000)
    wrong: list[str] = []
    page.on("console", lambda message: wrong.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "request",
        lambda request: None if request.url.startswith(("file:", "data:", "blob:")) else wrong.append(request.url),
    )
    try:
        page.goto(file.as_uri())
        if figures:
            page.wait_for_function("document.documentElement.dataset.figures === 'ready'")
        yield page
        assert wrong == []
    finally:
        page.close()


def draw_all(page: Page) -> int:
    """Scroll to every figure, as who reads the page does, and return how many are plots then."""
    figures = page.locator("figure.figure")
    for place in range(figures.count()):
        figure = figures.nth(place)
        figure.scroll_into_view_if_needed()
        figure.locator(".js-plotly-plot .main-svg").first.wait_for()
    return page.locator("figure .js-plotly-plot").count()


def overflow(page: Page) -> int:
    """By how many pixels the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))
