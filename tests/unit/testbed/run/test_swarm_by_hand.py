"""What `up` has a Swarm start."""

from testbed.plan.fields import Machine
from testbed.run.swarm_by_hand import stack_of
from testbed.stack.by_hand import ServerLimits
from testbed.stack.naming import MASTER, SERVER_PORT, WEB_PORT

MIB = 2**20


def test_a_server_answers_before_up_says_where_and_so_is_checked_inside() -> None:
    machine = Machine(2, 4096 * MIB, ("overlay",))
    stack = stack_of(["spst", "spmt"], ServerLimits(0.5, 64 * MIB), 2, "1000:1000", machine)
    by_name = {service.name: service for service in stack.services}
    for model in ("spst", "spmt"):
        assert by_name[model].checked_inside
        assert by_name[model].published == (SERVER_PORT,)
    assert by_name[MASTER].published == (WEB_PORT,)
