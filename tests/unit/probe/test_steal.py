"""What the hypervisor took, as the kernel counts it."""

from pathlib import Path

import pytest

from probe import steal

STAT = """\
cpu  13483 0 5273 382963 663 0 502 34 7 0
cpu0 3949 0 2426 194769 133 0 312 15 7 0
cpu1 9533 0 2846 188194 530 0 189 19 0 0
intr 1234 5 6
ctxt 99
"""


def test_every_processor_has_its_stolen_ticks_and_all_of_them() -> None:
    """Guests' time, the ninth field, is part of the user's already."""
    assert steal.parse(STAT) == {
        "0": (15, 3949 + 2426 + 194769 + 133 + 312 + 15),
        "1": (19, 9533 + 2846 + 188194 + 530 + 189 + 19),
    }


def test_a_kernel_without_the_column_tells_nothing() -> None:
    assert steal.parse("cpu 1 2 3 4\ncpu0 1 2 3 4\n") is None


def test_a_reading_that_cannot_be_had_is_not_known(tmp_path: Path) -> None:
    assert steal.read(tmp_path) == {"processor_ticks": None}
    (tmp_path / "stat").write_text(STAT)
    assert steal.read(tmp_path)["processor_ticks"] == steal.parse(STAT)


@pytest.mark.skipif(not Path("/proc/stat").exists(), reason="no /proc here")
def test_this_kernel_can_be_read() -> None:
    ticks = steal.read()["processor_ticks"]
    assert ticks is None or all(0 <= stolen <= every for stolen, every in ticks.values())
