import inspect
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import cast

import pytest

from servers import models
from servers.models.traits import ACCEPTS_AND_SERVES, Roles, Size, Traits, one, unlimited

PROJECT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("name", models.SERVERS)
def test_every_model_is_short_described_and_has_the_one_function(name: str) -> None:
    module = cast("ModuleType", models.load(name))
    assert len(inspect.getsource(module).splitlines()) <= 80
    assert list(inspect.signature(module.serve).parameters) == ["server"]
    assert 20 < len(models.describe(name)) < 120


def test_an_unknown_model_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        models.load("os")


@pytest.mark.parametrize("name", models.VARIANTS)
def test_a_variant_is_the_module_of_its_model_and_says_what_is_different(name: str) -> None:
    assert models.load(name) is models.load(models.base(name))
    assert models.base(name) == models.VARIANTS[name] in models.MODELS
    assert "uvloop" in models.describe(name)
    assert models.describe(name) != models.describe(models.base(name))


def test_a_model_is_its_own_base() -> None:
    assert [models.base(name) for name in models.MODELS] == list(models.MODELS)


def imported_after(script: str) -> set[str]:
    """The modules that a fresh interpreter has after this script."""
    command = [sys.executable, "-c", f"import sys\n{script}\nprint(*sys.modules)"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.split())


def test_a_server_imports_no_model_but_its_own_and_what_that_is_made_of() -> None:
    found = imported_after("import servers.lifecycle\nfrom servers import models\nmodels.load('prefork')")
    of_models = {name for name in found if name.startswith("servers.models.")}
    assert of_models == {"servers.models.traits", "servers.models.prefork", "servers.models.spst"}
    assert "asyncio" not in found


def test_the_table_of_all_models_imports_no_event_loop_and_load_does() -> None:
    assert imported_after("from servers.models import TABLE").isdisjoint({"asyncio", "servers.aio", "uvloop"})
    loaded = imported_after("from servers import models\nmodels.load('event-loop')")
    assert {"asyncio", "servers.aio", "servers.loop"} <= loaded


@pytest.mark.parametrize("name", ["", "-", "event_loop", "traits", "__init__", "spst-uvloop", "event-loop-", "../spst"])
def test_what_is_the_name_of_no_model_is_found_nowhere(name: str) -> None:
    assert models.find(name) is None
    assert models.base(name) == name
    with pytest.raises(KeyError):
        models.traits_of(name)


def test_what_is_found_by_name_is_what_stands_in_the_table() -> None:
    assert {name: models.find(name) for name in models.SERVERS} == dict(models.TABLE)


def test_a_models_own_sockets_decide_how_many_are_sure_to_be_served() -> None:
    def made(slots: object, sockets: object) -> Traits:
        return Traits(10, 1, "", Roles(ACCEPTS_AND_SERVES), one, one, slots, one, sockets=sockets)  # type: ignore[arg-type]

    size = Size(workers=3)
    assert made(lambda size: size.workers, one).surely_served(size) == 3
    assert made(lambda size: size.workers, lambda size: size.workers).surely_served(size) == 1
    assert made(unlimited, lambda size: size.workers).surely_served(size) is None
