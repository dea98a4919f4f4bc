"""`orchestrate.py doctor --on swarm`: whether the nodes can be used, and what each has and lacks."""

from collections.abc import Callable

from testbed.errors import Breakdown, UserError
from testbed.names import USUAL, image_name
from testbed.stack.machine import Check
from testbed.stack.swarm.engine import SwarmEngine


def cluster(reach: Callable[[], SwarmEngine | None]) -> list[Check]:
    """A check of the Swarm, and one of each node. `reach`: UserError, one line, where it cannot be used."""
    try:
        swarm = reach()
        if swarm is None:
            return []
        lacking = swarm.lacking_images(map(image_name, USUAL))
    except (UserError, Breakdown) as error:
        return [Check("Swarm", False, str(error))]
    roles = {name: role for role, names in swarm.roles.items() for name in names}
    told = "; ".join(f"{role}: {', '.join(names) or 'none'}" for role, names in swarm.roles.items())
    checks = [Check("Swarm", True, told)]
    for node in swarm.nodes:
        info, clock = node.info, node.clock
        images = "all images" if not lacking[node.name] else f"{len(lacking[node.name])} images to be brought"
        found = (
            f"{roles[node.name]}, {node.endpoint}, Docker {info['ServerVersion']}, cgroup v{info['CgroupVersion']}, "
            f"{info['NCPU']} CPUs, clock {1000 * clock.ahead_s:+.1f} ms within {1000 * clock.uncertain_s:.1f}, {images}"
        )
        checks.append(Check(f"node {node.name}", True, found))
    return checks
