"""`python3 -m testbed.setup`: what a fresh machine lacks, with progress from the first second. Standard library only.

Side by side: the virtual environment, the Compose plugin where there is none, the base of the images and, as soon as
these two are there, the images; for the tests a browser. What is there already is left as it is.
"""

import argparse
import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path

from servers.models import SERVERS
from testbed import exits
from testbed.errors import UserError
from testbed.interrupt import interruptible
from testbed.names import COMPANIONS, FRONTS
from testbed.stack import apt, images, machine
from testbed.stack.programs import CommandFailed, Commands, Interrupted

PROJECT = Path(__file__).resolve().parent.parent.parent
ENVIRONMENT = PROJECT / ".venv"
INSTALLER = PROJECT / "requirements" / "uv.txt"
PACKAGES = PROJECT / "requirements" / "dev.txt"
PLUGINS = Path("usr") / "libexec" / "docker" / "cli-plugins"

Say = Callable[[str], None]
Step = Callable[[Commands, Say], None]


def virtual_environment(commands: Commands, say: Say) -> None:
    """.venv with exactly what requirements/dev.txt locks."""
    stamp = ENVIRONMENT / ".threadmill-packages"
    wanted = hashlib.sha256(INSTALLER.read_bytes() + PACKAGES.read_bytes()).hexdigest()
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    say("[setup] virtual environment .venv (about 15 s) ...")
    started = time.monotonic()
    python = str(ENVIRONMENT / "bin" / "python")
    variables = package_variables(dict(os.environ))
    pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r", str(INSTALLER)]
    try:
        commands.run([sys.executable, "-m", "venv", str(ENVIRONMENT)])
        commands.run([python, *pip], environment=variables)
        sync = ["-m", "uv", "pip", "sync", "--quiet", "--python", python, "--require-hashes", str(PACKAGES)]
        commands.run([python, *sync], environment=variables)
    except CommandFailed as failure:
        if any("ensurepip" in line for line in failure.lines):
            raise UserError("Python lacks its venv module; run: sudo apt-get install -y python3-venv") from None
        raise UserError(f"the virtual environment could not be made: {images.reason(failure.lines)}") from None
    stamp.write_text(wanted)
    say(f"[setup] virtual environment: {time.monotonic() - started:.0f} s")


def package_variables(environment: dict[str, str]) -> dict[str, str]:
    """The environment in which uv reaches the package index the way pip is configured to, and both trust what this
    machine trusts: pip by itself may know only the authorities that it brings along.
    """
    found = dict(environment)
    if (bundle := images.ca_bundle(environment)) != "/dev/null":
        found.setdefault("SSL_CERT_FILE", bundle)
        found.setdefault("PIP_CERT", bundle)
    if "PIP_INDEX_URL" in environment:
        found.setdefault("UV_DEFAULT_INDEX", environment["PIP_INDEX_URL"])
    return found


def compose_plugin(commands: Commands, say: Say) -> None:
    """The Compose plugin for this user, from Debian's package, unless `docker compose` works."""
    if machine.check_compose().ok:
        return
    target = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "cli-plugins" / "docker-compose"
    apt.ensure("mmdebstrap", "mmdebstrap", "fetching the Compose plugin", commands, say)
    say("[setup] Docker Compose plugin (about 8 s) ...")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="threadmill-plugin-") as directory:
        tree = Path(directory) / "tree"
        try:
            commands.run(["mmdebstrap", "--variant=extract", "--include=docker-compose", "trixie", str(tree)])
        except CommandFailed as failure:
            raise UserError(
                f"the Compose plugin could not be fetched: {images.reason(failure.lines)};"
                " see https://docs.docker.com/compose/install/linux/"
            ) from None
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_suffix(".unfinished")
        shutil.copy(tree / PLUGINS / target.name, unfinished)
        unfinished.chmod(0o755)
        unfinished.replace(target)
    machine.refuse(machine.check_compose())
    say(f"[setup] Docker Compose plugin: {time.monotonic() - started:.0f} s, in {target}")


def base_for(names: Sequence[str]) -> Step:
    """The base of the images, made while the rest is fetched; none where these images need not be built."""

    def base(commands: Commands, say: Say) -> None:
        if images.outdated(names):
            images.remember(images.choose_base(say, commands))

    return base


def build(names: Sequence[str]) -> Step:
    """These images, once there are a base and Compose."""
    return lambda commands, say: images.build_missing(names, say, commands=commands)


def browser(commands: Commands, say: Say) -> None:
    """A Chromium for the tests of the web page."""
    if machine.find_browser() is None:
        apt.ensure("chromium", "chromium", "testing the web page", commands, say)


def run(steps: Sequence[Step], say: Say, last: Step | None = None, needs: int = 0) -> None:
    """Every step, side by side; `last` as soon as the first `needs` of them are done.

    UserError from the first that cannot be done; the others are ended then.
    """
    commands = Commands()

    def then(step: Step, before: Sequence["Future[None]"]) -> None:
        wait(before)
        # What one of them failed of is raised by itself, below.
        if not any(future.exception() for future in before):
            step(commands, say)

    with ThreadPoolExecutor(len(steps) + 1) as pool:
        try:
            futures = [pool.submit(step, commands, say) for step in steps]
            if last is not None:
                futures.append(pool.submit(then, last, futures[:needs]))
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
        finally:
            commands.stop()


def main() -> int:
    parser = argparse.ArgumentParser(prog="testbed.setup", description=__doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--only-venv", action="store_true", help="nothing that needs Docker")
    what.add_argument("--browser", action="store_true", help="also Chromium, for the tests")
    parser.add_argument(
        "--images",
        nargs="*",
        metavar="MODEL",
        help="also these models' images (none named: all, fronts too), and load and probe",
    )
    arguments = parser.parse_args()
    started = time.monotonic()

    def say(line: str) -> None:
        print(line, flush=True)

    try:
        with interruptible():
            if arguments.only_venv:
                run([virtual_environment], say)
            else:
                say("[setup] looking at what is here ...")
                machine.refuse(machine.check_engine())
                names = (*(arguments.images or (*SERVERS, *FRONTS)), *COMPANIONS)
                steps = [base_for(names), compose_plugin, virtual_environment]
                steps += [browser] if arguments.browser else []
                run(steps, say, last=None if arguments.images is None else build(names), needs=2)
    except (UserError, CommandFailed) as error:
        print(f"setup: {error}", file=sys.stderr)
        return exits.USAGE
    except (KeyboardInterrupt, Interrupted):
        print("setup: interrupted", file=sys.stderr)
        return exits.INTERRUPTED
    print(f"[setup] ready: {time.monotonic() - started:.1f} s", flush=True)
    return 0
