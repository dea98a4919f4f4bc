"""The models and the terms, for who meets them first."""

from markupsafe import Markup

from servers.models import SERVERS, describe
from testbed.report import setups
from testbed.report.templating import fill
from testbed.report.view import View

TERMS = {
    "CPU limit": "0.5 CPU means half of one processor's time.",
    "p50, p99": "half, or 99 %, of the requests were answered within this time; p99 tells of the slow ones.",
    "latency": "from when a request was due to be sent until its reply; in a closed loop from sending, with the time "
    "to connect where one is made.",
    "throttled": "stopped because the CPU limit of the current tenth of a second was used up.",
    "accept queue": "connections that the kernel has completed and the server has not yet taken.",
    "PSS": "memory of a process, with what it shares divided among those that share it.",
    "context switch": "a processor turning from one thread to another: voluntary when the thread waits, involuntary "
    "when its turn is over.",
    "block": "one repetition of the whole plan, in shuffled order.",
    "no difference shown": "the interval of the ratio holds 1. It does not mean that the two are equal.",
}

# Where there were several boxes, or something changed.
TERMS_OF_SYSTEMS = {
    "replica": "one of several servers that are alike; the CPU limit is that of all together where it is split.",
    "front": "what spreads connections over the replicas: the name's addresses (dns), or a proxy in a box of its own.",
    "imbalance": "what the busiest replica served by the mean of all: 1 is even, their number means one did it all.",
    "front-bound": "the front was at its limit: the replicas may be capable of more.",
    "backend-bound": "what stands behind the servers was at its limit: they may be capable of more.",
    "transient": "load, limits or replicas were to change in the window: its numbers are means over that.",
    "CPU-second reserved": "one processor kept for one second, used or not: what is paid for.",
}


def in_short(model: str) -> str:
    """What a model is made of: its description up to the colon."""
    told = describe(model).partition(":")[0] if model in SERVERS else ""
    return told[:1].lower() + told[1:].rstrip(".") if told else "not described in this version"


def glossary(view: View) -> Markup:
    """The models and the terms, for who meets them first."""
    unknown = "a model of which this version has no description"
    models = [(model, describe(model) if model in SERVERS else unknown) for model in view.models]
    terms = TERMS | (TERMS_OF_SYSTEMS if setups.has_several(view) else {})
    return fill("glossary.html", models=models, terms=terms.items())
