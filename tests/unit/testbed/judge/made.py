"""Evidence of one server and its load workers, told in flat names."""

import dataclasses
from typing import Any

from testbed.judge.boxes import Box
from testbed.judge.evidence import Evidence

# What is told of the server, where its box calls it otherwise.
BY_NAME = {
    "cpus": "cpu_limit",
    "memory_bytes": "memory_limit_bytes",
    "server_served": "served",
    "server_said": "said",
    "server_ended": "ended",
    "server_steal_share": "steal_share",
}
_OF_BOX = {field.name for field in dataclasses.fields(Box)}
_OF_EVIDENCE = {field.name for field in dataclasses.fields(Evidence)}


def evidence(**flat: Any) -> Evidence:
    """Of one server called `server`; `generator` are the boxes of the load workers."""
    of_trial = {name: value for name, value in flat.items() if name in _OF_EVIDENCE}
    rest = {name: value for name, value in flat.items() if name not in _OF_EVIDENCE}
    return replace(Evidence(**of_trial, boxes=(Box("server", "server"),)), **rest)


def replace(given: Any, **changes: Any) -> Any:
    """As of dataclasses; what is a server's goes to every server of the evidence."""
    if not isinstance(given, Evidence):
        return dataclasses.replace(given, **changes)
    of_trial = {name: value for name, value in changes.items() if name in _OF_EVIDENCE}
    of_server = {BY_NAME.get(name, name): value for name, value in changes.items() if name not in _OF_EVIDENCE}
    generator = of_server.pop("generator", given.generator) or ()
    assert of_server.keys() <= _OF_BOX, of_server
    servers = tuple(dataclasses.replace(box, **of_server) for box in given.servers)
    return dataclasses.replace(given, **{"boxes": (*servers, *generator), **of_trial})
