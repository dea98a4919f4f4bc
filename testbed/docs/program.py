"""What a sweep file, the Makefile and the report have, and what Locust is told of the models."""

import re

from servers.models import SERVERS, TABLE
from servers.models.traits import Size
from testbed import docs
from testbed.docs.markdown import table
from testbed.names import http_name
from testbed.plan import keys
from testbed.report.readings import TRIGGERS


def sweep_keys() -> str:
    """The keys of a sweep file."""
    lines = ((f"`{row.key}`", row.allowed, row.default or "needed", row.meaning) for row in keys.rows())
    return table(("key", "allowed", "left out", "meaning"), lines)


def triggers() -> str:
    """The readings that may tell that more is needed, and from where on."""
    lines = ((one.title, one.reads, f"{one.threshold:g}", one.reason) for one in TRIGGERS)
    return table(("reading", "what it is, once a second", "fires from", "why so much"), lines)


def make_targets() -> str:
    """What can be made, as `make help` says it."""
    text = (docs.DOCS.parent / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z-]+):.*?## (.*)$", text, re.MULTILINE)
    return table(("target", "what it does"), ((f"`make {name}`", what) for name, what in targets))


def targets() -> str:
    """What Locust's containers are told of the models where they are started by hand."""
    sequential = [name for name in SERVERS if TABLE[name].slots_of(Size(2, 2)) == 1]
    one_at_a_time = ",".join([*sequential, *map(http_name, sequential)])
    # Those that speak HTTP are named by who starts one: the page has no use for twice as many that are not up.
    targets = ",".join([*SERVERS, "${MORE_TARGETS-}"])
    return f"TARGETS: {targets}\nONE_AT_A_TIME: {one_at_a_time} # not what the page offers first\n"
