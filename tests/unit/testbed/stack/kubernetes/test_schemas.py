"""Every manifest of every ready-made sweep holds against the published schemas, and kustomize takes every directory."""

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from testbed.commands.manifests import write
from tests.unit.testbed.stack.kubernetes.written import SWEEPS, documents, of_sweep, of_text

VERSION = "1.37"


@cache
def held(document: str) -> str:
    """Against which version's schema this object held; many cells have the same ones."""
    return str(kubernetes_validate.validate(json.loads(document), VERSION, strict=True))


def check(name: str, document: dict) -> None:
    try:
        assert held(json.dumps(document, sort_keys=True)) == VERSION
    except kubernetes_validate.ValidationError as error:
        pytest.fail(f"{name}: {error.message}")


def without_trial(document: dict) -> dict:
    """The object without what differs from cell to cell and cannot matter: the trial's name in labels."""
    text = json.dumps(document)
    metadata = document["metadata"].get("labels", {})
    trial = metadata.get("threadmill.trial")
    return json.loads(text.replace(trial, "trial")) if trial else document


@pytest.mark.parametrize("sweep", SWEEPS)
def test_every_manifest_holds_against_the_schemas(sweep: str) -> None:
    found = [(name, one) for name, one in documents(of_sweep(sweep)) if one["kind"] != "Kustomization"]
    assert {one["kind"] for _, one in found} >= {"Namespace", "Deployment", "Service", "PersistentVolumeClaim", "Pod"}
    for name, document in found:
        check(name, without_trial(document))


def test_the_schemas_tell_a_key_that_there_is_not() -> None:
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(
            {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [{"name": "a", "imagine": "b"}]}},
            VERSION,
            strict=True,
        )


def test_an_autoscaler_with_a_tolerance_of_its_own_holds_too() -> None:
    law = "{change: replicas, on: memory, target: 0.5, min: 2, max: 6, tolerance: 0.2}"
    made = of_text(
        f"models: spmt\nreplicas: {{count: 2, cpus: each}}\nfront: haproxy\nscaling: [{law}]\n"
        "load: {mode: open, rate: 5}\nduration: 60s"
    )
    for name, document in documents(made):
        if document["kind"] != "Kustomization":
            check(name, document)


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
@pytest.mark.parametrize("sweep", ["quickstart", "step", "who-balances", "capacity"])
def test_kustomize_makes_the_same_objects_in_the_namespace_with_the_registrys_images(
    sweep: str, tmp_path: Path
) -> None:
    made = of_sweep(sweep, "registry.example:5000/team")
    write(tmp_path / "made", made.files)
    cells = sorted(path for path in (tmp_path / "made").iterdir() if path.is_dir())
    for directory in (cells[0], cells[-1], cells[-1] / "collect"):
        done = subprocess.run(["kubectl", "kustomize", str(directory)], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        built = list(yaml.safe_load_all(done.stdout))
        written = [
            document
            for path in directory.glob("*.yaml")
            for document in yaml.safe_load_all(path.read_text())
            if document["kind"] != "Kustomization"
        ]
        assert sorted(one["kind"] for one in built) == sorted(one["kind"] for one in written)
        kustomization = yaml.safe_load((directory / "kustomization.yaml").read_text())
        for document in built:
            check(str(directory), document)
            if document["kind"] != "Namespace":
                assert document["metadata"]["namespace"] == kustomization["namespace"]
            else:
                assert document["metadata"]["name"] == kustomization["namespace"]
        images = {line.split("image: ")[1] for line in done.stdout.splitlines() if " image: " in line}
        assert images and all(
            one.startswith("registry.example:5000/team/") and one.endswith(":latest") for one in images
        ), images
