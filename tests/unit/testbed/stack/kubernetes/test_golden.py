"""The manifests of one cell of quickstart stay as they are until someone means to change them.

`python -m tests.unit.testbed.stack.kubernetes.test_golden` writes them anew.
"""

from pathlib import Path

from tests.unit.testbed.stack.kubernetes.written import of_sweep

GOLDEN = Path(__file__).parent / "golden"
CELL = "001-spst-0.25cpu"


def now() -> dict[str, str]:
    return {name: text for name, text in of_sweep("quickstart").files.items() if name.startswith((CELL, "README"))}


def kept() -> dict[str, str]:
    return {str(path.relative_to(GOLDEN)): path.read_text() for path in GOLDEN.rglob("*") if path.is_file()}


def test_the_manifests_are_those_that_are_kept() -> None:
    found, wanted = now(), kept()
    assert sorted(found) == sorted(wanted)
    for name, text in found.items():
        assert text == wanted[name], name


if __name__ == "__main__":
    for name, text in now().items():
        (GOLDEN / name).parent.mkdir(parents=True, exist_ok=True)
        (GOLDEN / name).write_text(text)
