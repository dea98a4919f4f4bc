import pytest

from tests.made_results import make_results, make_search
from tests.made_scaling import make_moving, make_systems
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


@pytest.fixture(scope="session")
def several(tmp_path_factory):
    """One server, two and four, behind dns and behind haproxy."""
    return make_systems(tmp_path_factory.mktemp("systems") / "run")


@pytest.fixture(scope="session")
def moving(tmp_path_factory):
    """A load that rises, and replicas that follow it or do not."""
    return make_moving(tmp_path_factory.mktemp("moving") / "run")
