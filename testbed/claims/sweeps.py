"""The sweeps of the claims with what is different in each with `--quick`; claims that share one share its run."""

from collections.abc import Mapping
from typing import Any

# What reacts within seconds, so that three of these days fit into a quick window.
SEASON = {"change": "replicas", "on": "cpu", "target": 0.6, "min": 1, "max": 3, "every": "500ms", "down_after": "1s"}

# Windows of a second where a number of each block is enough; one block where what is asked is so or not in a trial.
QUICK: Mapping[str, Mapping[str, Any]] = {
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
    "sweeps/claims/late-replica.yaml": {},
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
    "sweeps/claims/metric.yaml": {
        "duration": "4s",
        "load": {
            "mode": "open",
            "profile": [{"rate": 50, "for": "1s"}, {"rate": 200, "for": "3s"}],
            "users": 256,
            "objective": {"p99": "150ms"},
        },
    },
    "sweeps/claims/season.yaml": {
        "duration": "7500ms",
        "scaling": [SEASON, {**SEASON, "forecast": "holt-winters", "season": "2500ms", "ahead": "1s"}],
        "load": {
            "mode": "open",
            "profile": [{"mean": 110, "amplitude": 80, "period": "2500ms", "for": "7500ms"}],
            "users": 256,
            "objective": {"p99": "150ms"},
        },
    },
    "sweeps/claims/standbys.yaml": {"warmup": "1s", "duration": "1s"},
    "sweeps/claims/pooler.yaml": {"duration": "1s"},
    "sweeps/claims/shards.yaml": {"duration": "1s"},
    "sweeps/claims/cache-law.yaml": {
        "duration": "1s",
        "behind": {"valkey": {"cpus": 0.15, "hits": [0, 0.5, 1.0], "over": {"postgres": {"cpus": 0.2}}}},
    },
    "sweeps/patterns/stampede.yaml": {"duration": "1s"},
    "sweeps/claims/hot-item.yaml": {"duration": "1s"},
    "sweeps/patterns/publish-subscribe.yaml": {"duration": "1s"},
    "sweeps/claims/killed-worker.yaml": {"repeat": 1, "duration": "3s"},
    "sweeps/claims/rate-limit.yaml": {"duration": "1s"},
    "sweeps/claims/crash.yaml": {"repeat": 1, "models": ["mpst", "event-loop"], "duration": "3s"},
    "sweeps/claims/stall.yaml": {"duration": "3s"},
    "sweeps/claims/stopped-replica.yaml": {"repeat": 1, "duration": "6500ms"},
}

# For all sweeps with `--quick`, where theirs does not say otherwise.
ALL_QUICK: Mapping[str, Any] = {"repeat": 3, "warmup": "1s", "duration": "2s"}


def quick(sweep: str) -> Mapping[str, Any]:
    """Keys of the sweep file as they are with `--quick`."""
    return QUICK[sweep]
