"""A worker's users against one name with several addresses, in a process of its own, as Locust patches what it runs in.

`python -m tests.integration.loadtests.several_addresses ENGINE DNS CONNECTION USERS REQUESTS PORT HOST ...` prints the
connections that the load counted at each address, and what its recorder reports. The resolver alone is not real: it
answers as one that has sorted, always with the same address first.
"""

import itertools
import json
import socket
import sys
import time
from typing import Any

import locust  # noqa: F401 -- first of all: it patches the others

# isort: split
import gevent
from locust.env import Environment
from locust.stats import RequestStats

from loadtests import destination, fields
from loadtests.client import Address
from loadtests.destination import Destination
from loadtests.worker.run import RunOnWorker, Window
from loadtests.worker.users import EchoUser

TIMEOUT_S = 30.0


def resolve_to(hosts: list[str], port: int) -> None:
    answer = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in hosts]
    addresses = [Address(family, sockaddr) for family, _, _, _, sockaddr in answer]
    setattr(destination, "resolve_all", lambda _host, _port: list(addresses))  # noqa: B010
    setattr(destination, "get_original", lambda _module, _name: lambda *_asked, **_kind: answer)  # noqa: B010


def drive(engine: str, dns: str, connection: str, users: int, requests: int, port: int) -> dict[str, Any]:
    wanted = fields.parse({"target": "spmt", "engine": engine, "dns": dns, "connection": connection}, ["spmt"])
    now = time.perf_counter()
    place = Destination("spmt", port, dns)
    run = RunOnWorker.prepare(wanted, place, Window(now, now, None), RequestStats())
    EchoUser.run_on_worker = run
    environment = Environment(user_classes=[EchoUser])
    everyone = [EchoUser(environment) for _ in range(users)]
    greenlets = [gevent.spawn(user.run) for user in everyone]
    with gevent.Timeout(TIMEOUT_S):
        while run.recorder._completed < requests:
            gevent.sleep(0.002)
        run.stop(time.perf_counter())
        gevent.joinall(greenlets)
    run.recorder.finish(time.perf_counter())
    run.end()
    wire = run.recorder.to_wire()
    return {
        "made": place.connections,
        "sent": wire["sent"],
        "opened": sum(piece["connections"] for piece in wire["slices"]),
        "failures": dict(itertools.chain(*(piece["failures"].items() for piece in wire["slices"]))),
        "in_flight": wire["in_flight_at_end"],
    }


if __name__ == "__main__":
    one, two, three, *numbers = sys.argv[1:7]
    resolve_to(sys.argv[7:], int(sys.argv[6]))
    print(json.dumps(drive(one, two, three, *map(int, numbers))))
