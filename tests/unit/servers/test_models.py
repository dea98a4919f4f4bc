import inspect
from types import ModuleType
from typing import cast

import pytest

from servers import models


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
