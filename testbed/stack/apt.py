"""Debian packages of this machine that the set-up needs. Standard library only."""

import os
import shutil
import threading
from collections.abc import Callable

from testbed.errors import UserError
from testbed.stack.programs import CommandFailed, Commands

_one_at_a_time = threading.Lock()


def ensure(program: str, package: str, why: str, commands: Commands, say: Callable[[str], None]) -> None:
    """Install the package unless its program is there. UserError, with what to run, where we cannot."""
    with _one_at_a_time:
        if shutil.which(program):
            return
        if not shutil.which("apt-get"):
            raise UserError(f"{why} needs `{program}`: install it with this system's package manager, then try again")
        if os.geteuid() != 0:
            raise UserError(f"{why} needs `{program}`; run: sudo apt-get install -y {package}, then try again")
        say(f"[setup] apt-get install {package} (about 10 s) ...")
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", package]
        try:
            commands.run(["apt-get", "update", "-qq"], environment=environment)
            commands.run(install, environment=environment)
        except CommandFailed as failure:
            raise UserError(f"{why} needs {package}: {failure}") from None
