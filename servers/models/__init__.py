"""The concurrency models: one module each, holding only who accepts and who serves."""

import importlib
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


class Model(Protocol):
    __doc__: str | None

    def serve(self, server: "Server") -> None:
        """Accept and serve until the server drains; return once nothing more is accepted."""


def load(name: str) -> Model:
    """The module of a model named as users type it. Raises KeyError for an unknown name."""
    if name not in MODELS:
        raise KeyError(name)
    return cast("Model", importlib.import_module(f"servers.models.{name.replace('-', '_')}"))


def describe(name: str) -> str:
    """The model's one-line description."""
    return (load(name).__doc__ or "").partition("\n")[0]
