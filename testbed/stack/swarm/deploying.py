"""`docker stack deploy`, and what it says where it fails."""

import os
import re
import subprocess
from pathlib import Path

from testbed.errors import EngineError, EngineGone, UserError
from testbed.interrupt import deferred

# The command is given this long to hand over a stack of a few services.
TIMEOUT_S = 60.0
_CUT_OFF = re.compile(
    r"cannot connect to the docker daemon|failed to connect|error during connect|connection re(fused|set)",
    re.IGNORECASE,
)


def failure(file: Path, output: str) -> UserError | EngineGone:
    """What a failed command has printed, as what it is: a matter of the file, or of the manager. Pure."""
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["no reason given"]
    why = f"docker stack deploy failed: {lines[-1]}"
    return EngineGone(why) if _CUT_OFF.search(lines[-1]) else UserError(f"{file}: {why}")


def deploy(endpoint: str, inherited: tuple[int, ...], name: str, text: str, file: Path) -> None:
    """Deploy a stack file on the manager at an endpoint. `inherited`: descriptors that the command keeps open. `file`:
    what to name as the file. UserError with the manager's reason, EngineGone where it does not answer."""
    command = ["docker", "stack", "deploy", "--resolve-image", "never", "--compose-file", "-", name]
    with deferred():
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "DOCKER_HOST": endpoint},
            start_new_session=True,
            pass_fds=inherited,
        )
    try:
        said, _ = process.communicate(text, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise EngineError(f"docker stack deploy did not end within {TIMEOUT_S:g} s") from None
    finally:
        # What it has created by now carries the run's label.
        process.kill()
        process.wait()
    if process.returncode != 0:
        raise failure(file, said)
