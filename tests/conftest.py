"""What all tests have in common."""

import os
from pathlib import Path

import pytest

BYTE_CODE = Path(__file__).parents[1] / ".pytest_cache" / "byte-code"


def pytest_configure() -> None:
    """Where Python is told to keep no byte code, each of the hundreds of programs that tests start would compile all it
    imports anew: here they keep it, away from the sources."""
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        os.environ["PYTHONPYCACHEPREFIX"] = str(BYTE_CODE)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What runs beside a busy machine's other work is tried a second time; the summary shows how often that was.

    Unit tests depend on nothing but the code, and are not. A second try hides what fails now and then: to find that,
    `--reruns 0`.
    """
    if config.getoption("reruns", 0) is not None:
        return
    for item in items:
        if not item.nodeid.startswith("tests/unit/"):
            item.add_marker(pytest.mark.flaky(reruns=1))
