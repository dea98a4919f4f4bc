"""`make test-vm`: what a sweep takes, tried on a machine like the ones users have, and on this one beside it.

The machine is made, run and removed; results of both and a list of what differs are left in the directory that is said.
"""

import argparse
import contextlib
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from testbed import exits
from testbed.errors import Breakdown, UserError
from testbed.interrupt import interruptible
from testbed.names import image_name
from testbed.stack import images, machine
from testbed.stack.programs import CommandFailed, Commands, Interrupted
from tests.lab.engines import engines, lacking
from tests.vm import here
from tests.vm.differences import differences, steps_of
from tests.vm.inside import STEPS
from tests.vm.machine import HOME, Machine, ensure

PROJECT = Path(__file__).parents[2]
OUT_THERE = f"{HOME}/out"


def try_there(there: Machine, steps: list[str], out: Path, say: Callable[[str], None]) -> bool:
    """The steps inside; what they leave is brought out, whatever comes of them. Breakdown where the machine does not
    get to the end of them."""
    failure: CommandFailed | None = None
    try:
        command = f".venv/bin/python -u -m tests.vm.inside {OUT_THERE} {' '.join(steps)}"
        there.run(f"mkdir -p {OUT_THERE} && {command}", lambda line: say(f"[vm] {line}"))
    except CommandFailed as error:
        failure = error
    there.fetch(OUT_THERE, out)
    found = steps_of(out)
    if failure is not None and (cut_off := [name for name in steps if name not in found]):
        raise Breakdown(
            f"the machine did not come to {', '.join(cut_off)}: {images.reason(failure.lines)}"
        ) from failure
    return all(found[name]["failed"] is None for name in steps)


@contextmanager
def kept_in(directory: Path | None, keep: bool, commands: Commands, say: Callable[[str], None]) -> Iterator[Machine]:
    """A machine that runs, in this directory or in one of its own; gone with its directory unless it is to be kept."""
    place = directory or Path(tempfile.mkdtemp(prefix="threadmill-vm-"))
    place.mkdir(parents=True, exist_ok=True)
    there = Machine(place.absolute(), commands, say)
    try:
        started = time.monotonic()
        if not there.is_made:
            there.make()
        say("[vm] booting (about 1 min) ...")
        there.start()
        say(f"[vm] it runs, {time.monotonic() - started:.0f} s after its beginning")
        yield there
    finally:
        if keep and there.is_made:
            say(f"[vm] kept: --machine {place} uses it again, and without --keep removes it")
        else:
            there.stop()
            shutil.rmtree(place, ignore_errors=True)


def test(arguments: argparse.Namespace, say: Callable[[str], None]) -> int:
    """Everything. UserError where this machine lacks what it takes, or a step is none."""
    steps: list[str] = arguments.steps or list(STEPS)
    if unknown := [name for name in steps if name not in STEPS]:
        raise UserError(f"steps: found {', '.join(unknown)}, allowed: {', '.join(STEPS)}")
    machine.require_docker()
    if why := lacking():
        raise UserError(why)
    commands = Commands()
    ensure(commands, say)
    images.build_missing(here.IMAGES, say)
    names = [image_name(name) for name in here.IMAGES]
    out: Path = arguments.out.absolute()
    with kept_in(arguments.machine, arguments.keep, commands, say) as there:
        say("[vm] carrying tree and images in (about 2 min) ...")
        there.carry_tree()
        there.carry_images(names)
        well = try_there(there, steps, out / "there", say)
    if not arguments.only_there:
        say("[vm] the same here, on an engine of its own ...")
        with engines(1) as (engine,):
            engine.load(names)
            well &= here.try_on(engine, out / "here", steps) == 0
    (out / "differences.md").write_text(differences(out / "here", out / "there"))
    say(f"[vm] {'all as it should' if well else 'not all is as it should'}; what differs: {out / 'differences.md'}")
    return exits.OK if well else exits.FAILED


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.vm", description=__doc__)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    parser.add_argument("steps", nargs="*", metavar="STEP", help=f"of {', '.join(STEPS)}; default: all")
    parser.add_argument("--out", type=Path, default=PROJECT / "results" / f"vm-{stamp}", help="default %(default)s")
    parser.add_argument("--machine", type=Path, metavar="DIR", help="where the machine is made, or was")
    parser.add_argument("--keep", action="store_true", help="leave the machine running")
    parser.add_argument("--only-there", action="store_true", help="nothing on this machine")
    started = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - started:5.0f} s  {line}", flush=True)

    try:
        with interruptible():
            say("[vm] looking at what is here ...")
            return test(parser.parse_args(), say)
    except (UserError, CommandFailed) as error:
        print(f"test-vm: {error}", file=sys.stderr)
        return exits.USAGE
    except (Breakdown, AssertionError) as error:
        print(f"test-vm: {error}", file=sys.stderr)
        return exits.BROKEN
    except (KeyboardInterrupt, Interrupted):
        print("test-vm: interrupted", file=sys.stderr)
        return exits.INTERRUPTED


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        sys.exit(main())
