"""docs/architecture.md names what is there: files, functions, folders, and where a figure is computed."""

import ast
import re
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
PAGE = PROJECT / "docs" / "architecture.md"
TEXT = PAGE.read_text(encoding="utf-8")

# [label]: place "name in it", and its use: [text][label]
_DEFINED = re.compile(r'^\[([\w-]+)\]: (\S+) "([^"]+)"$', re.MULTILINE)
_USED = re.compile(r"\]\[([\w-]+)\]")
_DIAGRAM = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def name_of(path: Path) -> str:
    return str(path.relative_to(PROJECT))


def names_in(path: Path) -> set[str]:
    """Functions, classes, methods and constants that a module defines."""
    found = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        found |= {target.id for target in targets if isinstance(target, ast.Name)}
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found |= {node.name}
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{one.name}" for one in node.body if isinstance(one, ast.FunctionDef)}
    return found


DEFINED = [(label, (PAGE.parent / place).resolve(), name) for label, place, name in _DEFINED.findall(TEXT)]
"""Label, file, and the name that is to be found in it."""


def test_every_file_and_every_function_is_there() -> None:
    assert [name_of(path) for _, path, _ in DEFINED if not path.is_file()] == []
    assert [f"{name} in {name_of(path)}" for _, path, name in DEFINED if name not in names_in(path)] == []


def test_every_link_has_its_place_and_every_place_is_linked() -> None:
    labels = [label for label, _, _ in DEFINED]
    assert len(labels) == len(set(labels)) == len(re.findall(r"^\[[^\]]+\]: ", TEXT, re.MULTILINE))
    assert set(labels) == set(_USED.findall(TEXT))


def test_what_the_diagram_calls_is_defined_somewhere() -> None:
    (diagram,) = _DIAGRAM.findall(TEXT)
    called = re.findall(r'"([\w.]+)\(\)"', diagram)
    assert len(called) > 10
    folders = ("testbed", "loadtests", "probe")
    defined = {name for folder in folders for path in (PROJECT / folder).rglob("*.py") for name in names_in(path)}
    assert [name for name in called if name not in defined] == []


def test_the_p99_of_a_trial_is_found_in_two_hops() -> None:
    """From the top of the page to the function that merges the workers' counts, and from it to what computes."""
    top = TEXT.partition("\n## ")[0]
    assert all(f"[{label}]" in top for label in ("merge", "percentile", "metrics"))
    paths = {label: path.read_text(encoding="utf-8") for label, path, _ in DEFINED}
    assert "supported_percentile(" in paths["merge"] and ".percentile(" in paths["supported"]
    assert "def percentile(" in paths["percentile"]
    assert '"latency_p99_us"' in paths["metrics"] and '"cpu_us_per_request"' in paths["metrics"]


def test_every_folder_has_its_sentence() -> None:
    folders = [path for path in (PROJECT / "testbed").iterdir() if (path / "__init__.py").exists()]
    folders += [PROJECT / "servers", PROJECT / "loadtests", PROJECT / "probe"]
    told = {name for line in TEXT.splitlines() if line.startswith("| `") for name in re.findall(r"`([\w/]+)/`", line)}
    assert {name_of(path) for path in folders} <= told
