import inspect
from types import ModuleType
from typing import cast

import pytest

from servers import models


@pytest.mark.parametrize("name", models.MODELS)
def test_every_model_is_short_described_and_has_the_one_function(name: str) -> None:
    module = cast("ModuleType", models.load(name))
    assert len(inspect.getsource(module).splitlines()) <= 80
    assert list(inspect.signature(module.serve).parameters) == ["server"]
    assert 20 < len(models.describe(name)) < 120


def test_an_unknown_model_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        models.load("os")
