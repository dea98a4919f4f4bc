"""The concurrency models: one module each, holding its traits and only who accepts and who serves.

A server imports its own model alone: the table of all (MODELS, VARIANTS, SERVERS, TABLE) is made when first asked for.
"""

import importlib
import os
from collections.abc import Mapping
from types import MappingProxyType, ModuleType
from typing import TYPE_CHECKING

from servers.models.traits import Traits

if TYPE_CHECKING:
    from typing import Protocol

    from servers.server import Server

    class Model(Protocol):
        __doc__: str | None
        TRAITS: Traits

        def serve(self, server: Server) -> None:
            """Accept and serve until the server drains; return once nothing more is accepted."""


MODELS: tuple[str, ...]
# The same model, to the letter, on another implementation of its loop. Each has an image and a port of its own. By
# name; the values are the models' names.
VARIANTS: Mapping[str, str]
# Every name that a server can be started by: models, then variants.
SERVERS: tuple[str, ...]
TABLE: Mapping[str, Traits]


def __getattr__(name: str) -> object:
    if name not in ("MODELS", "VARIANTS", "SERVERS", "TABLE"):
        raise AttributeError(name)
    _make_table()
    return globals()[name]


def _make_table() -> None:
    files = sorted(os.listdir(__path__[0]))  # noqa: PTH208 - pathlib takes longer to import than all of this
    modules = [_module(file[:-3]) for file in files if file.endswith(".py") and file != "__init__.py"]
    found = [one for one in modules if one is not None and hasattr(one, "TRAITS")]
    models = {_name(one): one for one in sorted(found, key=lambda one: (one.TRAITS.place, one.__name__))}
    table = {name: one.TRAITS for name, one in models.items()}
    table |= {name: traits for one in models.values() for name, traits in _variants(one).items()}
    globals().update(
        MODELS=tuple(models),
        VARIANTS=MappingProxyType({name: traits.base for name, traits in table.items() if traits.base}),
        SERVERS=tuple(table),
        TABLE=MappingProxyType(table),
    )


def find(name: str) -> Traits | None:
    """The traits of a model or variant named as users type it; None for an unknown name."""
    module = _of(name)
    return None if module is None else {_name(module): module.TRAITS, **_variants(module)}[name]


def traits_of(name: str) -> Traits:
    """The same, but KeyError for an unknown name."""
    if (found := find(name)) is None:
        raise KeyError(name)
    return found


def base(name: str) -> str:
    """The model that a variant is of; a model is its own. An unknown name is returned as it is."""
    found = find(name)
    return found.base if found is not None and found.base else name


def load(name: str) -> "Model":
    """The module of a model or variant, ready to serve: with all that it imports, and the package of a variant.

    Raises KeyError for an unknown name, ModuleNotFoundError where that package is missing.
    """
    for needed in traits_of(name).imports:
        importlib.import_module(needed)
    module = _of(name)
    assert module is not None
    return module


def describe(name: str) -> str:
    """The one-line description of a model or variant. KeyError for an unknown name."""
    return traits_of(name).about.partition("\n")[0]


def _of(name: str) -> ModuleType | None:
    """The module of a model or variant."""
    for model in (name, name.rpartition("-")[0]):
        module = None if "_" in model else _module(model.replace("-", "_"))
        if module is not None and hasattr(module, "TRAITS") and name in (model, *_variants(module)):
            return module
    return None


def _module(stem: str) -> ModuleType | None:
    if not stem.isidentifier():
        return None
    full = f"{__name__}.{stem}"
    try:
        return importlib.import_module(full)
    except ModuleNotFoundError as missing:
        if missing.name != full:
            raise
        return None


def _name(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2].replace("_", "-")


def _variants(module: ModuleType) -> dict[str, Traits]:
    name = _name(module)
    return {f"{name}-{one.package}": one._replace(base=name) for one in getattr(module, "VARIANTS", ())}
