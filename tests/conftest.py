"""What all tests have in common."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What runs beside a busy machine's other work is tried a second time; the summary shows how often that was.

    Unit tests depend on nothing but the code, and are not.
    """
    for item in items:
        if not item.nodeid.startswith("tests/unit/"):
            item.add_marker(pytest.mark.flaky(reruns=1))
