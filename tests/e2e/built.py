"""Images as the tests need them, where several processes of tests may need them at once."""

import fcntl
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from testbed.stack import images as image_builder
from testbed.stack import machine


def built(names: Sequence[str]) -> None:
    """What is missing of these or of other code is built: by one process, and the others find it there."""
    machine.require_docker()
    with (Path(tempfile.gettempdir()) / f"threadmill-test-images-{os.getuid()}").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        image_builder.build_missing(names, print)
