"""Compose files stay what they were before stacks were made for no engine in particular, but for the probe's name."""

from typing import Any

import pytest
import yaml

from testbed.parts import trial as parts
from testbed.stack import compose, system
from testbed.stack.compose import compose_text
from testbed.stack.naming import PROBE_PREFIX
from testbed.stack.run import Run
from tests.unit.testbed.stack.golden_cases import CASES, GOLDEN, MODELS, run_of, trial_of


def with_the_old_name(services: dict[str, Any]) -> dict[str, Any]:
    return {"probe" if name.startswith(PROBE_PREFIX) else name: value for name, value in services.items()}


@pytest.mark.parametrize("name", CASES)
def test_the_compose_file_is_the_one_of_before(name: str) -> None:
    sweep, about = CASES[name]
    run = Run(**run_of(about))
    if sweep:
        made = compose.project(parts.stack(run, MODELS, trial_of(sweep)), {"load": "../../load"})
    else:
        made = compose.project(system.load_stack(run, MODELS), {"load": "./load"})
    found = yaml.safe_load(compose_text(made))
    kept = yaml.safe_load((GOLDEN / f"{name}.yaml").read_text())
    assert with_the_old_name(found.pop("services")) == kept.pop("services")
    assert found == kept


def test_every_kept_file_has_its_case() -> None:
    assert {path.stem for path in GOLDEN.glob("*.yaml")} == set(CASES)
