import pytest

from tests.made_results import make_results, make_search
from tests.unit.testbed.report.pages import view_of


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    """Five models at 0.5 and 1 CPU, three trials each."""
    return make_results(tmp_path_factory.mktemp("small") / "made-20260102T030405Z")


@pytest.fixture(scope="session")
def seen(small):
    return view_of(small)


@pytest.fixture(scope="session")
def search(tmp_path_factory):
    """Searches in which `spst` holds no rate at all."""
    return view_of(make_search(tmp_path_factory.mktemp("search") / "capacity", {"spst": 0.0}))
