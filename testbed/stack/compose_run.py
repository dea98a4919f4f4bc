"""Starting services by `docker compose up`, in a way that an interrupt finds in order."""

import contextlib
import os
import re
import signal
import subprocess
import time
from pathlib import Path

from testbed.errors import EngineError, EngineGone, UserError
from testbed.interrupt import deferred
from testbed.stack import secret

# A compose command that was interrupted is given this long to end its own requests to the engine.
INTERRUPT_TIMEOUT_S = 10
# For so long after such an interrupt the engine may still finish a request, and create what nobody waits for.
SETTLING_S = 2.0

# What Compose says when the engine went away under it.
_CUT_OFF = re.compile(
    r"cannot connect to the docker daemon|failed to connect to the docker api|error during connect"
    r"|connection re(fused|set)|\bEOF$",
    re.IGNORECASE,
)
_NO_ROOM = "no space left on device"


def compose_failure(compose_file: Path, output: str) -> UserError | EngineError:
    """What a failed `docker compose up` has printed, as what it is: a matter of the file, or of the engine. Pure."""
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["no reason given"]
    why = f"docker compose up failed: {lines[-1]}"
    if _CUT_OFF.search(lines[-1]):
        return EngineGone(why)
    return EngineError(why) if _NO_ROOM in lines[-1] else UserError(f"{compose_file}: {why}")


class ComposeRunner:
    """Runs `docker compose up`, and knows when what an interrupted one has begun is over."""

    def __init__(self) -> None:
        self.inherited: tuple[int, ...] = ()
        """Descriptors that every command inherits."""
        self.settled_at = 0.0
        """From then, by time.monotonic(), the engine creates nothing more on behalf of a command."""

    def up(self, compose_file: Path, project: str, services: list[str]) -> str | None:
        """Create and start these services of a Compose file, and no other. What it has printed if it fails.

        Compose runs in a session of its own so that a Ctrl-C reaches it once, from here, and in order.
        """
        command = ["docker", "compose", "--project-name", project, "--file", str(compose_file)]
        command += ["--progress", "quiet", "up", "--detach", "--no-deps", "--no-build", "--pull", "never", *services]
        process: subprocess.Popen[str] | None = None
        try:
            with deferred():
                process = subprocess.Popen(
                    command,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    env={**os.environ, **secret.environment()},
                    start_new_session=True,
                    pass_fds=self.inherited,
                )
            output, _ = process.communicate()
        except BaseException:
            if process is not None:
                self._end_command(process)
            raise
        return output if process.returncode != 0 else None

    def _end_command(self, process: "subprocess.Popen[str]") -> None:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=INTERRUPT_TIMEOUT_S)
        process.kill()
        process.communicate()
        self.settled_at = time.monotonic() + SETTLING_S
