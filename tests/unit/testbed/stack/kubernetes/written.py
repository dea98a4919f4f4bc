"""Manifests of sweep files, as a test asks for them."""

from pathlib import Path
from typing import Any

import yaml

from testbed.parts.manifests import Manifests, manifests
from testbed.plan import sweepfile
from testbed.plan.fields import NETWORKS, Machine

PROJECT = Path(__file__).parents[5]
SWEEPS = sorted(path.stem for path in (PROJECT / "sweeps").glob("*.yaml"))
USER = "10001:10001"
MACHINE = Machine(64, 2**40, NETWORKS)


def of_text(text: str, registry: str = "") -> Manifests:
    """Of a sweep file with these lines besides its name."""
    return manifests(sweepfile.parse(f"name: a\n{text}\n", Path("a.yaml"), MACHINE), USER, registry)


def of_sweep(name: str, registry: str = "") -> Manifests:
    """Of a ready-made sweep."""
    return manifests(sweepfile.load(PROJECT / "sweeps" / f"{name}.yaml", MACHINE), USER, registry)


def documents(made: Manifests, cell: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Every object with its file, of the cells that begin so."""
    return [
        (name, document)
        for name, text in made.files.items()
        if name.endswith(".yaml") and name.startswith(cell)
        for document in yaml.safe_load_all(text)
    ]


def objects(made: Manifests, cell: str = "001") -> dict[tuple[str, str], dict[str, Any]]:
    """The objects of a cell by kind and name."""
    found = documents(made, cell)
    return {(one["kind"], one["metadata"]["name"]): one for _, one in found if one["kind"] != "Kustomization"}


def pod_of(made: Manifests, kind: str, name: str, cell: str = "001") -> dict[str, Any]:
    """The pod of a workload."""
    found: dict[str, Any] = objects(made, cell)[kind, name]["spec"]["template"]["spec"]
    return found


def container_of(pod: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (one for one in pod["containers"] if one["name"] == name)
    return dict(found)


def option(words: list[str], name: str) -> str:
    """The value of an option of a command line."""
    return words[words.index(name) + 1]
