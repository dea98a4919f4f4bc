"""What a person who watches gets: a line of JSON for each sample, its counters as the growth since the line before."""

import json
from collections.abc import Callable
from typing import Any

from probe.growth import ALIVE_ONLY
from probe.summary import COUNTERS, difference


class Lines:
    """Turns samples into lines."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._before: dict[str, Any] = {}

    def add(self, sample: dict[str, Any]) -> None:
        line = {name: value for name, value in sample.items() if value is not None and name not in ALIVE_ONLY}
        for name in COUNTERS:
            grown = difference(self._before.get(name), sample.get(name))
            line.pop(name, None)
            if grown is not None:
                line[f"{name}_since_last"] = grown
        self._before |= sample
        self._say(json.dumps(line))
