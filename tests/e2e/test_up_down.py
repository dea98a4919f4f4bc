"""`orchestrate.py up` and `down`: the stack by hand in one command, or one line that says why not."""

import contextlib
import socket

import pytest

from tests.e2e.compose import docker
from tests.e2e.stack import orchestrate

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("images")]


def there() -> list[str]:
    """Containers and networks of the stack by hand."""
    mine = ("--quiet", "--filter", "label=com.docker.compose.project=threadmill")
    return docker("ps", "--all", *mine).split() + docker("network", "ls", *mine).split()


def results_volume() -> list[str]:
    return docker("volume", "ls", "--quiet", "--filter", "name=^threadmill_results$").split()


def test_a_port_in_use_is_one_line_and_nothing_is_left_half_started() -> None:
    before, volumes = there(), results_volume()
    with contextlib.ExitStack() as stack:
        # Whoever holds it already serves the test as well.
        with contextlib.suppress(OSError):
            stack.enter_context(socket.create_server(("127.0.0.1", 8081)))
        done = orchestrate("up", "spst")
    assert done.returncode == 2, done.stdout + done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("orchestrate.py: port 8081 of 127.0.0.1 is in use: ")
    assert there() == before
    # The results of earlier runs are nobody's to remove; an empty volume that this made is.
    if not volumes:
        docker("volume", "rm", *results_volume())
