"""Trials whose compose files are kept in golden/ as the version before the neutral stack wrote them."""

from pathlib import Path
from typing import Any

from testbed.plan import trials
from testbed.plan.fields import NETWORKS
from testbed.plan.sweepfile import Machine, parse
from testbed.plan.trials import Trial
from testbed.stack.cpus import CpuSets

GOLDEN = Path(__file__).parent / "golden"
MODELS = ["spst", "event-loop", "prefork"]
SETS = CpuSets(server="2-3", generator="1", rest="0", isolated=True, notes=())
NO_SETS = CpuSets(server=None, generator=None, rest=None, isolated=False, notes=("nothing is pinned",))
HEAD = {"run_id": "a-20260102T030405Z-ab12", "project": "threadmill-a-20260102t030405z-ab12", "user": "1000:1000"}

# By name: the sweep file, and what of the run differs from HEAD, two workers and SETS. Without a file, no trial.
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "load-alone": ("", {}),
    "load-alone-shared": ("", {"shared": True, "workers": 1}),
    "quota": ("models: event-loop\nlimits: {cpus: 0.25, memory: 64MiB}", {}),
    "cpuset": ("models: spst\nlimits: {cpus: 1, limit: cpuset}", {}),
    "cpuset-two": ("models: spst\nlimits: {cpus: 2, limit: cpuset}", {}),
    "both": ("models: prefork\nlimits: {cpus: 1.5, limit: both}\npools: {workers: 3}", {}),
    "shared": ("models: event-loop\nnetwork: shared", {"shared": True}),
    "shared-and-bridge": ("models: event-loop\nnetwork: bridge", {"shared": True}),
    "unpinned": ("models: spst\nlimits: {cpus: 0.5}\nisolate: false", {"cpu_sets": NO_SETS}),
    "unpinned-cpuset": ("models: spst\nlimits: {cpus: 2, limit: cpuset}", {"cpu_sets": NO_SETS}),
    "unpinned-both": ("models: spst\nlimits: {cpus: 0.5, limit: both}", {"cpu_sets": NO_SETS, "workers": 1}),
    "worker-cpus": ("models: event-loop\nload: {users: 4}", {"worker_cpus": 0.3, "workers": 3}),
    "images": (
        "models: [event-loop]\nimages: {event-loop: example/rigged, probe: example/probe}",
        {"images": {"event-loop": "example/rigged", "probe": "example/probe"}},
    ),
    "holders": ("models: event-loop\nload: {users: 8, idle_holders: 10000}", {}),
}


def trial_of(sweep: str) -> Trial:
    """The one trial of such a sweep file."""
    (trial,) = trials.trials(parse(f"name: a\n{sweep}\n", Path("a.yaml"), Machine(4, 2**33, NETWORKS)))
    return trial


def run_of(about: dict[str, Any]) -> dict[str, Any]:
    """What the run is made of."""
    return {**HEAD, "workers": 2, "cpu_sets": SETS, **about}
