"""Which code an image is of: what it is made of as one value, which it carries as a label. Standard library only.

The value depends on nothing but the checkout, so that an image brought from another machine by `docker load` counts.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from servers.models import find
from testbed.names import COMPANIONS, FRONTS, HTTP_FRONTS, model_of
from testbed.names import PARTS as PARTS_BEHIND

SOURCE_LABEL = "threadmill.source"
BASE_LABEL = "threadmill.base"
# The base that was chosen, not named: the official Python image or our own, which hold the same for us.
DEFAULT_BASE = "default"

_SERVER = ("images/base", "images/server", "servers")
# What an image is made of, by its kind. The recipe of our own base belongs to it, that base's id does not.
PARTS: Mapping[str, tuple[str, ...]] = {
    "server": _SERVER,
    "variant": (*_SERVER, "requirements/uvloop.txt"),
    "behind": (*_SERVER, "requirements/behind.txt"),
    "variant-behind": (*_SERVER, "requirements/uvloop.txt", "requirements/behind.txt"),
    "http": (*_SERVER, "requirements/behind.txt", "requirements/http.txt"),
    "variant-http": (*_SERVER, "requirements/uvloop.txt", "requirements/behind.txt", "requirements/http.txt"),
    "locust": ("images/base", "images/locust", "loadtests", "requirements/locust.txt"),
    "probe": ("images/base", "images/probe", "probe", "requirements/probe.txt"),
    "haproxy": ("images/base", "images/haproxy", "fronts"),
    "nginx": ("images/base", "images/nginx", "fronts"),
    "varnish": ("images/base", "images/varnish", "fronts"),
    "envoy": ("images/base", "images/envoy", "fronts", "requirements/envoy.txt"),
    "postgres": ("images/base", "images/postgres", "behind"),
    "pgbouncer": ("images/base", "images/pgbouncer", "behind"),
    "valkey": ("images/base", "images/valkey", "behind"),
    "nats": ("images/base", "images/nats", "behind"),
    "rabbitmq": ("images/base", "images/rabbitmq", "behind"),
    "consumer": ("images/base", "images/consumer", "consumers", "requirements/consumer.txt"),
}

# What they do not take along of a part.
WITHOUT: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("server", "variant"), ("servers/behind", "servers/http")),
    **dict.fromkeys(("behind", "variant-behind"), ("servers/http",)),
}


def kind(name: str) -> str:
    """The kind of the image of a model; each of the others is a kind of its own."""
    if name in (*COMPANIONS, *FRONTS, *HTTP_FRONTS, *PARTS_BEHIND):
        return name
    model = model_of(name)
    more = name.removeprefix(model).removeprefix("-")  # behind, http or nothing
    traits = find(model)
    if traits is not None and traits.package:
        return f"variant-{more}" if more else "variant"
    return more or "server"


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    else:
        yield from (file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts)


def sources(project: Path) -> dict[str, str]:
    """By kind of image, a value that changes with any name or content of what it is made of in this checkout."""
    found = {}
    for name, parts in PARTS.items():
        total = hashlib.sha256()
        files: Iterable[Path] = (file for part in parts for file in _files(project / part))
        for left_out in WITHOUT.get(name, ()):
            files = [file for file in files if not file.is_relative_to(project / left_out)]
        for file in sorted(files, key=lambda file: file.relative_to(project).as_posix()):
            content = file.read_bytes()
            total.update(f"{file.relative_to(project).as_posix()}\0{len(content)}\0".encode() + content)
        found[name] = total.hexdigest()[:16]
    return found


def what_is_wrong(labels: Mapping[str, str] | None, source: str, base: str) -> str | None:
    """Why an image with these labels (None: there is no image) is not the one of this code; None if it is. Pure.

    `base` is the base that was named, else DEFAULT_BASE.
    """
    if labels is None:
        return "missing"
    if not (found := labels.get(SOURCE_LABEL)):
        return "of unknown code"
    if found != source:
        return "of other code"
    if (other := labels.get(BASE_LABEL) or "unknown") != base:
        return f"on another base ({other})"
    return None
