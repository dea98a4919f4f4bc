"""What a trial's server needs for its connections, so that its own bounds are not what is measured. Pure."""

from testbed.plan.cell import Cell

# More tasks than a trial can need would only be a mistake; the limit keeps it from becoming the host's.
LEAST_TASKS = 4096
# The server's own default.
LEAST_CONNECTIONS = 1024
# For the checks before the load, and for connections that are closed here and not there yet.
SPARE_CONNECTIONS = 64
# The longest that a server allows: silent is what an idle holder is meant to be.
LONGEST_IDLE_TIMEOUT_S = 86_400


def connections(cell: Cell) -> int:
    """How many the server must be able to have open at once."""
    return cell.users + cell.idle_holders + SPARE_CONNECTIONS


def tasks_limit(cell: Cell) -> int:
    """Processes and threads the server's container may have: one for each connection, and its pools."""
    return max(LEAST_TASKS, connections(cell) + cell.workers + cell.threads)


def environment(cell: Cell) -> dict[str, str]:
    """What the server has to be told: so that its own bounds are not what is measured, and how its threads switch."""
    found = {"MAX_CONNECTIONS": str(max(LEAST_CONNECTIONS, connections(cell)))}
    found |= {"IDLE_TIMEOUT": str(LONGEST_IDLE_TIMEOUT_S)} if cell.idle_holders else {}
    found |= {"SWITCH_INTERVAL_US": str(cell.switch_interval_us)} if cell.switch_interval_us else {}
    found |= {"SHARED_COUNTER": "1"} if cell.counter == "shared" else {}
    fault = cell.what_fails
    return found | ({"ALLOW_FAULTS": "1"} if fault is not None and fault.kind == "crashed" else {})
