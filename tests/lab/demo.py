"""A sweep on a Docker Swarm of three engines that this machine starts for it, and takes down whatever happens.

`python -m tests.lab.demo [SWEEP FILE]`; Linux, root. The exit code is the sweep's.
"""

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from testbed import exits, names
from testbed.errors import UserError
from testbed.interrupt import interruptible
from testbed.names import image_name
from testbed.plan import sweepfile
from testbed.plan.fields import Machine
from testbed.stack import images, machine
from tests.lab.cluster import ROLES, Cluster, swarm
from tests.lab.engines import lacking

PROJECT = Path(__file__).parents[2]
SWEEP = PROJECT / "sweeps" / "quickstart.yaml"


def say(line: str) -> None:
    print(line, flush=True)


def sweep_on(cluster: Cluster, sweep: Path) -> int:
    """Run it there as a person would, who has told where the nodes' engines are. Returns its exit code."""
    with tempfile.TemporaryDirectory(prefix="threadmill-demo-") as directory:
        words = ["orchestrate.py", "sweep", "--on", "swarm", "--nodes", str(cluster.nodes_file(Path(directory)))]
        command = [sys.executable, *words, str(sweep)]
        say(f"[lab] DOCKER_HOST={cluster.manager.host} {' '.join(command)}")
        with subprocess.Popen(command, cwd=PROJECT, env=cluster.environment) as process:
            try:
                return process.wait()
            except KeyboardInterrupt:
                # Ctrl-C has reached it as well, another signal has not; it ignores the second one while it tidies up.
                process.send_signal(signal.SIGINT)
                return process.wait()


def demo(sweep: Path) -> int:
    """Images, engines, sweep. UserError where this machine cannot do it."""
    if why := lacking():
        raise UserError(why)
    machine.require_docker()
    models = sweepfile.load(sweep, Machine(1, 2**40)).models
    needed = (*models, *names.COMPANIONS)
    say(f"[lab] images of {', '.join(needed)} ...")
    images.build_missing(needed, say)
    say(f"[lab] starting {len(ROLES)} Docker engines, each with a network of its own ...")
    with swarm() as cluster:
        for node in cluster.nodes:
            say(f"[lab] {node.name} at {node.address}: {cluster.roles[node.name]}")
        say(f"[lab] bringing the images to {cluster.manager.name} alone ...")
        cluster.manager.load([image_name(name) for name in needed])
        try:
            return sweep_on(cluster, sweep)
        finally:
            say("[lab] taking the engines down ...")


def main() -> int:
    try:
        with interruptible():
            return demo(Path(sys.argv[1]) if len(sys.argv) > 1 else SWEEP)
    except UserError as error:
        print(f"demo: {error}", file=sys.stderr)
        return exits.USAGE
    except KeyboardInterrupt:
        return exits.INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
