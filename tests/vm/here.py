"""The same steps on this machine, on a Docker engine of their own: what the other machine is laid beside.

`python -m tests.vm.here OUT [STEP ...]`; Linux, root. Nothing of the engine is left afterwards. With
THREADMILL_LAB_ROOT, a root file system that has Docker installed, the engine is that one's: another release on this
machine's kernel.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from testbed import names
from testbed.interrupt import interruptible
from testbed.names import image_name
from testbed.stack import images
from tests.lab.engines import LabEngine, engines, lacking
from tests.vm.inside import STEPS

PROJECT = Path(__file__).parents[2]
MODELS = ("spst", "spmt", "mpst", "mpmt", "event-loop")
IMAGES = (*MODELS, *names.COMPANIONS, "haproxy", "nginx")


def try_on(engine: LabEngine, out: Path, steps: Sequence[str]) -> int:
    """The steps on this engine, from its machine's network. Returns 0 where all went well."""
    command = [*engine.via, sys.executable, "-m", "tests.vm.inside", str(out), *steps]
    return subprocess.run(command, cwd=PROJECT, env=engine.environment, check=False).returncode


def main(words: Sequence[str]) -> int:
    if why := lacking():
        print(f"tests.vm.here: {why}", file=sys.stderr)
        return 2
    root = Path(named) if (named := os.environ.get("THREADMILL_LAB_ROOT")) else None
    with interruptible(), engines(1, root) as (engine,):
        images.build_missing(IMAGES, print)
        engine.load([image_name(name) for name in IMAGES])
        return try_on(engine, Path(words[0]).absolute(), words[1:] or tuple(STEPS))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
