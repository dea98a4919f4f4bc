"""Values, of which whoever reads one can tell whether it is the right one."""

import pytest

from servers.behind.values import may_be_cached, value_of, version_in


def test_a_value_says_its_key_and_version_and_is_filled_up_but_never_cut() -> None:
    assert value_of(7, 42, 10) == "7:42:xxxxx"
    assert value_of(7, 2**63 - 1, 3) == f"7:{2**63 - 1}:"


@pytest.mark.parametrize("version", [0, 1, 2**63 - 1])
def test_the_version_of_a_value_is_found_in_it(version: int) -> None:
    assert version_in(value_of(7, version, 40), 7, 40) == version


@pytest.mark.parametrize(
    "value", ["", "7", "7:", "7:4", "7:4:xxx", "8:4:xxxxxx", "7:4:xxxxxy", "7:04:xxxxx", "7:²:xxxxxx", "7:-4:xxxxx"]
)
def test_what_is_no_value_of_the_key_has_no_version(value: str) -> None:
    assert version_in(value, 7, 10) is None


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_a_share_of_the_keys_may_be_cached_and_always_the_same_ones(share: float) -> None:
    found = [key for key in range(10_000) if may_be_cached(key, share)]
    assert abs(len(found) / 10_000 - share) < 0.01
    assert found == [key for key in range(10_000) if may_be_cached(key, share)]
