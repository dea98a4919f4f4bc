"""The sweeps of the claims with what is different in each with `--quick`; claims that share one share its run."""

from collections.abc import Mapping
from typing import Any

# Windows of a second where a number of each block is enough; one block where what is asked is so or not in a trial.
# None: left out, since what it is about takes as long as it takes, or its many containers do.
QUICK: Mapping[str, Mapping[str, Any] | None] = {
    "sweeps/claims/second-client.yaml": {
        "models": ["spst", "spmt", "mpst", "event-loop"],
        "repeat": 1,
        "duration": "1s",
    },
    "sweeps/claims/waiting.yaml": {"models": ["spst", "thread-pool", "event-loop"], "duration": "1s"},
    "sweeps/claims/holders.yaml": {"duration": "1s", "load": {"users": 1, "idle_holders": [1, 64]}},
    "sweeps/claims/switches.yaml": {"models": ["spmt", "mpst"], "duration": "1s"},
    "sweeps/claims/per-connection.yaml": {"models": ["spst", "mpst", "prefork", "spmt"], "duration": "1s"},
    "sweeps/claims/ten-thousand.yaml": {"repeat": 1, "duration": "1s"},
    "sweeps/claims/cores.yaml": {},
    "sweeps/claims/head-of-line.yaml": {"duration": "1s"},
    "sweeps/claims/switch-interval.yaml": {"duration": "1s"},
    "sweeps/claims/balance.yaml": {"repeat": 1, "duration": "1s"},
    "sweeps/claims/shared-counter.yaml": {"models": ["prefork"], "duration": "1s"},
    "sweeps/claims/hybrid.yaml": {},
    "sweeps/claims/one-or-four.yaml": {"duration": "1s"},
    "sweeps/claims/queues.yaml": {"duration": "1s"},
    "sweeps/claims/late-replica.yaml": None,
    "sweeps/claims/quota.yaml": {"repeat": 1, "duration": "5s"},
    "sweeps/claims/triggers.yaml": {
        "models": ["thread-pool"],
        "repeat": 1,
        "duration": "5s",
        "load": {
            "mode": "open",
            "profile": ["50-200x5s", "100x5s"],
            "arrivals": "poisson",
            "users": 256,
            "objective": {"p99": "200ms"},
        },
    },
    "sweeps/claims/metric.yaml": None,
    "sweeps/claims/season.yaml": None,
    "sweeps/claims/standbys.yaml": None,
    "sweeps/claims/pooler.yaml": {"duration": "1s"},
    "sweeps/claims/shards.yaml": {"duration": "1s"},
    "sweeps/claims/cache-law.yaml": {
        "duration": "1s",
        "behind": {"valkey": {"cpus": 0.15, "hits": [0, 0.5, 1.0], "over": {"postgres": {"cpus": 0.2}}}},
    },
    "sweeps/patterns/stampede.yaml": {"duration": "1s"},
    "sweeps/claims/hot-item.yaml": {"duration": "1s"},
    "sweeps/patterns/publish-subscribe.yaml": None,
    "sweeps/claims/killed-worker.yaml": {"repeat": 1, "duration": "3s"},
    "sweeps/claims/rate-limit.yaml": {"duration": "1s"},
    "sweeps/claims/crash.yaml": {"repeat": 1, "models": ["mpst", "event-loop"], "duration": "3s"},
    "sweeps/claims/stall.yaml": {"duration": "3s"},
    "sweeps/claims/stopped-replica.yaml": {"repeat": 1, "duration": "6500ms"},
}

# For all sweeps with `--quick`, where theirs does not say otherwise.
ALL_QUICK: Mapping[str, Any] = {"repeat": 3, "warmup": "1s", "duration": "2s"}


def quick(sweep: str) -> Mapping[str, Any] | None:
    """Keys of the sweep file as they are with `--quick`; None where it is left out."""
    return QUICK[sweep]
