"""What a load worker's regular reports come to, in bytes as Locust sends them and CPU time of the master. A process of
its own, since Locust replaces parts of Python's library: prints one line of JSON.

    python -m benchmarks.worker_reports RATE
"""

from __future__ import annotations

import json
import random
import sys
import time

import msgpack
from locust.rpc.protocol import Message
from locust.runners import HEARTBEAT_INTERVAL, WORKER_REPORT_INTERVAL
from locust.stats import RequestStats, StatsEntry

from loadtests import tuning
from loadtests.messages import LIVE

ROUNDS = 100
# Of a log-normal distribution of milliseconds: median 11, a hundredth above 45.
_MU, _SIGMA = 2.4, 0.6
_NAME = "n1-1_0123456789abcdef0123456789abcdef"


def _report(rate: float) -> bytes:
    """What a worker sends every 3 s, with so many requests per second behind it."""
    chance, stats = random.Random(1), RequestStats()
    for _ in range(round(rate * WORKER_REPORT_INTERVAL)):
        stats.log_request("TCP", "server", chance.lognormvariate(_MU, _SIGMA), 64)
    data = {
        "stats": stats.serialize_stats(),
        "stats_total": stats.total.get_stripped_report(),
        "errors": {},
        "user_classes_count": {"TcpUser": 4},
        "user_count": 4,
        LIVE: {"cpu_share": 0.123456, "behind_s": 0.001, "idle_holders": 0},
    }
    return bytes(Message("stats", data, _NAME).serialize())


def _took_ms(report: bytes) -> float:
    """To decode one and to add it up, as Locust's master does."""
    stats = RequestStats()
    begun = time.process_time()
    for _ in range(ROUNDS):
        data = msgpack.loads(report, strict_map_key=False)[1]
        for each in data["stats"]:
            entry = StatsEntry.unserialize(each, stats)
            stats.get(entry.name, entry.method).extend(entry)
        stats.total.extend(StatsEntry.unserialize(data["stats_total"], stats))
    return 1e3 * (time.process_time() - begun) / ROUNDS


def main() -> None:
    tuning.apply()
    report = _report(float(sys.argv[1]))
    said = {"state": "running", "current_cpu_usage": 12.5, "current_memory_usage": 61234567}
    beat = len(Message("heartbeat", said, _NAME).serialize())
    per_s = len(report) / WORKER_REPORT_INTERVAL + beat / HEARTBEAT_INTERVAL
    print(json.dumps({"bytes_per_s": per_s, "ms_per_s": _took_ms(report) / WORKER_REPORT_INTERVAL}))


if __name__ == "__main__":
    main()
