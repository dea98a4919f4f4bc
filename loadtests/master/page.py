"""Small changes to Locust's page: what a person needs comes first and unfolded, what has no meaning here is hidden, and
the list of targets says which are up.

Style, in selectors that simply do not match if Locust changes its page, and one script that adds labels; without either
the form still works.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).resolve().parent / "templates"

FIELD_ORDER = (
    *("target", "mode", "userCount", "spawnRate", "rate", "loadProfile", "arrivals", "thinkMs"),
    *(
        *("protocol", "method", "connection"),
        "dns",
        "idleHolders",
        "payloadBytes",
        "sleepUs",
        "spinUs",
        "hashUs",
        *("behind", "keys", "zipf", "reads", "scans", "services", "apiKey"),
        "warmupS",
        "windowS",
        "engine",
        "precise",
    ),
)
"""Locust sorts added fields by name, folds them away, and puts its own before them."""

LABELS = {
    "target": "Target (the model to load)",
    "mode": "Mode (closed: users wait for replies; open: a rate)",
    "userCount": "Users (open: the most requests in flight)",
    "spawnRate": "Users started per second",
    "rate": "Rate (requests/s of all users together)",
    "loadProfile": "Profile of the rate, in place of it (100x20s,100-400x60s or 200+-150/60sx120s)",
    "arrivals": "Arrivals (evenly spaced, or at random)",
    "thinkMs": "Think time (ms between reply and next request)",
    "protocol": "Protocol (line: a line is echoed; http: the body of a POST)",
    "method": "Method (http: post, an echo of its body; get, items by their keys)",
    "connection": "Connection (persistent, per-request, or requests on each)",
    "dns": "DNS (of several addresses: one; asked for each connection; all in turn)",
    "idleHolders": "Idle connections held beside the users",
    "payloadBytes": "Payload (bytes, 1 to 65536)",
    "sleepUs": "Sleep per request (us)",
    "spinUs": "Spin per request (us of CPU, holding Python's lock)",
    "hashUs": "Hash per request (us of CPU, without the lock)",
    "behind": "Behind the server (nothing; a store is read and written; a broker is sent to)",
    "keys": "Keys (that there are behind the server)",
    "zipf": "Skew of the keys (exponent of Zipf's law; 0: all alike)",
    "reads": "Reads (share of requests; the others write)",
    "scans": "Scans (share of reads that ask for all keys)",
    "services": "Services behind a gateway (reads:6:read,waits:3:sleep=500)",
    "apiKey": "Key that a gateway asks for (X-Api-Key)",
    "warmupS": "Warm-up (s, not measured)",
    "windowS": "Window (s, then it stops; 0: until Stop)",
    "engine": "Engine (fast: costs a quarter; plain: easy to read)",
    "precise": "Precise (open and fast, on its own core)",
    "runTime": "Run time (such as 20s or 3m)",
}
"""What a person would write over a field. Locust makes a label of a field's name and its help: "Think Ms (...)"."""

MODE_FIELDS = {"closed": ("thinkMs",), "open": ("rate", "loadProfile", "arrivals")}
"""What has a meaning in one mode only. In the other it is faded, not hidden: left filled in, it is refused by name."""


@cache
def _head() -> str:
    # Not escaped: it is style and script, and nothing in it comes from outside.
    environment = Environment(loader=FileSystemLoader(TEMPLATES), trim_blocks=True, undefined=StrictUndefined)
    template = environment.get_template("head.html")
    return template.render(order=FIELD_ORDER, modes=MODE_FIELDS, labels=json.dumps(LABELS))


def tidy(html: str) -> str:
    """Locust's page with our style, labels and title."""
    return html.replace("</head>", _head(), 1).replace("<title>Locust</title>", "<title>Threadmill</title>")
