"""What a failed `docker stack deploy` means."""

from pathlib import Path

import pytest

from testbed.errors import EngineGone, UserError
from testbed.stack.swarm.deploying import failure

FILE = Path("trials/a/stack.yaml")


@pytest.mark.parametrize(
    "output",
    [
        "Cannot connect to the Docker daemon at unix:///run/docker.sock. Is the docker daemon running?",
        "failed to connect to the docker API at unix:///run/docker.sock",
        "error during connect: Get http://n1/v1.41/info: EOF",
    ],
)
def test_a_manager_that_is_gone_is_no_matter_of_the_file(output: str) -> None:
    assert isinstance(failure(FILE, f"Creating service a_b\n{output}\n"), EngineGone)


def test_what_the_manager_refuses_is_a_matter_of_the_file() -> None:
    found = failure(FILE, "Creating network a_overlay\nfailed to create network: pool overlaps\n")
    assert isinstance(found, UserError)
    assert str(found) == f"{FILE}: docker stack deploy failed: failed to create network: pool overlaps"


def test_one_that_says_nothing_gave_no_reason() -> None:
    assert str(failure(FILE, " \n")).endswith("no reason given")
