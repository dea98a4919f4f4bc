"""The sweeps of the claims with what is different in each with `--quick`; claims that share one share its run."""

from collections.abc import Mapping
from typing import Any

# Windows of a second where a number of each block is enough; one block where what is asked is so or not in a trial.
QUICK: Mapping[str, Mapping[str, Any]] = {
    "sweeps/claims/second-client.yaml": {
        "models": ["spst", "spmt", "mpst", "prefork", "event-loop"],
        "repeat": 1,
        "duration": "1s",
    },
    "sweeps/claims/waiting.yaml": {"models": ["spst", "thread-pool", "event-loop"], "duration": "1s"},
    "sweeps/claims/holders.yaml": {"duration": "1s", "load": {"users": 1, "idle_holders": [1, 64]}},
}


def quick(sweep: str) -> Mapping[str, Any]:
    """Keys of the sweep file as they are with `--quick`."""
    return QUICK[sweep]
