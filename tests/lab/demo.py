"""A sweep on a Docker Swarm of three engines that this machine starts for it, and takes down whatever happens.

`python -m tests.lab.demo [SWEEP FILE [OPTION OF sweep ...]]`; Linux, root. The exit code is the sweep's.
"""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psutil

from testbed import exits, names
from testbed.errors import UserError
from testbed.interrupt import interruptible
from testbed.names import image_name
from testbed.plan import sweepfile
from testbed.plan.fields import Machine
from testbed.plan.images import proxies
from testbed.stack import images, machine
from tests.lab.cluster import ROLES, Cluster, swarm
from tests.lab.engines import lacking

PROJECT = Path(__file__).parents[2]
SWEEP = PROJECT / "sweeps" / "quickstart.yaml"


def say(line: str) -> None:
    print(line, flush=True)


def sweep_on(cluster: Cluster, sweep: Path, options: Sequence[str]) -> int:
    """Run it there as a person would, who has told where the nodes' engines are. Returns its exit code."""
    with tempfile.TemporaryDirectory(prefix="threadmill-demo-") as directory:
        words = ["orchestrate.py", "sweep", "--on", "swarm", "--nodes", str(cluster.nodes_file(Path(directory)))]
        command = [sys.executable, *words, str(sweep), *options]
        say(f"[lab] DOCKER_HOST={cluster.manager.host} {' '.join(command)}")
        with subprocess.Popen(command, cwd=PROJECT, env=cluster.environment) as process:
            try:
                return process.wait()
            except KeyboardInterrupt:
                # Ctrl-C has reached it as well, another signal has not; it ignores the second one while it tidies up.
                process.send_signal(signal.SIGINT)
                return process.wait()


def demo(sweep: Path = SWEEP, *options: str) -> int:
    """Images, engines, sweep. UserError where this machine cannot do it."""
    if why := lacking():
        raise UserError(why)
    machine.require_docker()
    on = Machine(os.cpu_count() or 1, psutil.virtual_memory().total, ("overlay",))
    parsed = sweepfile.load(sweep, on)
    needed = (*parsed.models, *names.COMPANIONS, *proxies(parsed))
    say(f"[lab] images of {', '.join(needed)} ...")
    images.build_missing(needed, say)
    say(f"[lab] starting {len(ROLES)} Docker engines, each with a network of its own ...")
    with swarm() as cluster:
        for node in cluster.nodes:
            say(f"[lab] {node.name} at {node.address}: {cluster.roles[node.name]}")
        say(f"[lab] bringing the images to {cluster.manager.name} alone ...")
        cluster.manager.load([image_name(name) for name in needed])
        try:
            return sweep_on(cluster, sweep, options)
        finally:
            say("[lab] taking the engines down ...")


def main() -> int:
    try:
        with interruptible():
            return demo(*map(Path, sys.argv[1:2]), *sys.argv[2:])
    except UserError as error:
        print(f"demo: {error}", file=sys.stderr)
        return exits.USAGE
    except KeyboardInterrupt:
        return exits.INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
