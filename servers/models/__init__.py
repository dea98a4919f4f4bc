"""The concurrency models: one module each, holding only who accepts and who serves."""

import importlib
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol, cast

if TYPE_CHECKING:
    from servers.server import Server

MODELS: tuple[str, ...] = (
    "spst",
    "spmt",
    "mpst",
    "mpmt",
    "thread-pool",
    "prefork",
    "event-loop",
    "prefork-event-loop",
)

# The same model, to the letter, on another implementation of its loop. Each has an image and a port of its own.
VARIANTS = MappingProxyType(
    {
        "event-loop-uvloop": "event-loop",
        "prefork-event-loop-uvloop": "prefork-event-loop",
    }
)

# Every name that a server can be started by.
SERVERS: tuple[str, ...] = (*MODELS, *VARIANTS)


class Model(Protocol):
    __doc__: str | None

    def serve(self, server: "Server") -> None:
        """Accept and serve until the server drains; return once nothing more is accepted."""


def base(name: str) -> str:
    """The model that a variant is of; a model is its own. An unknown name is returned as it is."""
    return VARIANTS.get(name, name)


def load(name: str) -> Model:
    """The module of a model or variant named as users type it, with the package that a variant stands on.

    Raises KeyError for an unknown name, ModuleNotFoundError where that package is missing.
    """
    model = _module(name)
    if name in VARIANTS:
        importlib.import_module("uvloop")
    return model


def describe(name: str) -> str:
    """The one-line description of a model or variant."""
    told = (_module(name).__doc__ or "").partition("\n")[0]
    return (
        told.replace("an asyncio loop", "a uvloop loop").replace("one asyncio loop", "one uvloop loop")
        if name in VARIANTS
        else told
    )


def _module(name: str) -> Model:
    if name not in SERVERS:
        raise KeyError(name)
    return cast("Model", importlib.import_module(f"servers.models.{base(name).replace('-', '_')}"))
