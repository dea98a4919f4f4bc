"""The images: which base they stand on, and building them. Standard library only: the set-up makes the base early.

What an image is made of stands in docker-compose.yml and images/; Docker's own cache decides what is built again.
"""

import hashlib
import os
import re
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from servers.models import SERVERS
from testbed import machine, setup_apt
from testbed.commands import CommandFailed, Commands
from testbed.errors import UserError

PROJECT = Path(__file__).resolve().parent.parent
BASE_RECIPE = PROJECT / "images" / "base"
PYTHON_IMAGE = "python:3.13-slim-trixie"
OWN_BASE = "threadmill/base"
RECIPE_LABEL = "threadmill.recipe"
# What stands beside the models: the load and the probe.
COMPANIONS = ("locust", "probe")
EVERY = (*SERVERS, *COMPANIONS)
# A registry that is there answers with the image's manifest well within this; none at all fails at once or never.
REGISTRY_ANSWER_S = 5.0
CA_BUNDLE_VARIABLES = ("CA_BUNDLE", "PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
CA_BUNDLES = ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem")

Say = Callable[[str], None]


@dataclass(frozen=True)
class Base:
    """What the images are built on: an image reference, and where it came from in words."""

    reference: str
    origin: str


def image_name(model: str) -> str:
    """The image of a model, of `locust`, or of `probe`."""
    return f"threadmill/{model}"


def _present(reference: str, label: str = "", value: str = "") -> bool:
    """Whether this image is here, with this label if one is asked for."""
    answer = machine.ask("docker", "image", "inspect", "--format", f'{{{{index .Config.Labels "{label}"}}}}', reference)
    return answer.exit_code == 0 and (not label or answer.output == value)


def missing() -> list[str]:
    """The names of the images that do not exist here."""
    return [name for name in map(image_name, EVERY) if not _present(name)]


def ca_bundle(environment: dict[str, str]) -> str:
    """The file with the certificates this machine trusts, which a build step has to trust too; /dev/null if none."""
    named = [environment[variable] for variable in CA_BUNDLE_VARIABLES if environment.get(variable)]
    return next((path for path in (*named, *CA_BUNDLES) if Path(path).is_file()), "/dev/null")


def recipe() -> str:
    """Changes when what makes our own base changes."""
    parts = [path.read_bytes() for path in sorted(BASE_RECIPE.iterdir())]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:12]


def choose_base(say: Say = print, commands: Commands | None = None) -> Base:
    """The base to build on, there when this returns. UserError when there can be none.

    THREADMILL_BASE if set; else what an earlier call made or pulled; else python:3.13-slim-trixie where a registry
    answers; else a Debian root file system made here.
    """
    commands = commands or Commands()
    if named := os.environ.get("THREADMILL_BASE"):
        base = Base(named, "THREADMILL_BASE says so")
    elif _present(OWN_BASE, RECIPE_LABEL, recipe()):
        base = Base(OWN_BASE, "made here before")
    elif _present(PYTHON_IMAGE):
        base = Base(PYTHON_IMAGE, "already here")
    elif _pull(commands, say):
        base = Base(PYTHON_IMAGE, "from the registry")
    else:
        base = _make(commands, say)
    return base


def _pull(commands: Commands, say: Say) -> bool:
    """Pull the official image, given up at once if no registry answers."""
    process = commands.start(["docker", "pull", PYTHON_IMAGE])
    hurry = threading.Timer(REGISTRY_ANSWER_S, process.terminate)
    hurry.start()
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if "Pulling from" in line:  # the first thing it prints once the registry has told what the image is made of
                hurry.cancel()
                say(f"[setup] pulling {PYTHON_IMAGE} ...")
        return process.wait() == 0
    finally:
        hurry.cancel()
        commands.end(process)


def _make(commands: Commands, say: Say) -> Base:
    setup_apt.ensure("mmdebstrap", "mmdebstrap", "no image registry answers; a base image of our own", commands, say)
    say("[setup] no image registry answers: making a Debian root file system (about 30 s) ...")
    started = time.monotonic()
    label = f"LABEL {RECIPE_LABEL}={recipe()} threadmill.role=base"
    environment = "ENV LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    changes = [part for change in (label, environment, 'CMD ["python3"]') for part in ("--change", change)]
    try:
        with tempfile.TemporaryDirectory(prefix="threadmill-base-") as directory:
            archive = str(Path(directory) / "rootfs.tar")
            commands.run([str(BASE_RECIPE / "rootfs.sh"), archive])
            commands.run(["docker", "import", *changes, archive, OWN_BASE])
    except CommandFailed as failure:
        raise UserError(f"the base root file system could not be made: {reason(failure.lines)}") from None
    say(f"[setup] base root file system: {time.monotonic() - started:.0f} s")
    return Base(OWN_BASE, "no registry answers: made here with mmdebstrap")


def reason(lines: Sequence[str]) -> str:
    """The one line of a failed command's output that tells most: its last error, else its last line."""
    errors = [line for line in lines if re.search(r"\berror\b|^E: |failed to solve", line, re.IGNORECASE)]
    return (errors or list(lines) or ["no reason given"])[-1].strip()


# `#12 [spst server 4/5] COPY servers /app/servers` begins a step; every later line of that step begins with `#12 `.
_STEP = re.compile(r"^#(?P<number>\d+) \[(?P<image>[a-z-]+)[^]]*\] (?P<what>(RUN|exporting) .*)$")
_LATER = re.compile(r"^#(?P<number>\d+) (?P<text>.*)$")


class Progress:
    """The steps of a build that take time, out of BuildKit's output; what comes from the cache is not shown."""

    def __init__(self) -> None:
        self._announced: dict[str, str] = {}
        self._shown: set[str] = set()

    def feed(self, line: str) -> str | None:
        """What to show after this line, if anything: a step at the first sign of life that is not `CACHED`."""
        if (step := _STEP.match(line)) and step["number"] not in self._shown:
            what = re.sub(r"--mount=\S+ +", "", step["what"])
            self._announced[step["number"]] = f"{step['image']}: {what if len(what) <= 70 else what[:67] + '...'}"
            return None
        if (later := _LATER.match(line)) and (announced := self._announced.pop(later["number"], None)):
            self._shown.add(later["number"])
            return None if later["text"] == "CACHED" else f"[images] {announced}"
        return None


def build(models: Sequence[str] | None, say: Say) -> None:
    """Build these models' images (default: all), Locust's and the probe's. UserError, one line, if that fails.

    What has not changed comes from Docker's cache: with nothing to do this takes a second.
    """
    build_missing((*(models or SERVERS), *COMPANIONS), say)


def build_missing(names: Sequence[str], say: Say) -> None:
    """Build what is missing or out of date among these: names of models, `locust`, `probe`."""
    base = choose_base(say)
    say(f"[images] base: {base.reference} ({base.origin})")
    environment = {**os.environ, "BASE": base.reference, "CA_BUNDLE": ca_bundle(dict(os.environ))}
    compose = ["docker", "compose", "--project-directory", str(PROJECT), "--file", str(PROJECT / "docker-compose.yml")]
    started = time.monotonic()
    say(f"[images] building {', '.join(dict.fromkeys(names))} ...")

    progress = Progress()

    def show(line: str) -> None:
        if shown := progress.feed(line):
            say(shown)

    try:
        Commands().run([*compose, "--progress", "plain", "build", *dict.fromkeys(names)], show, environment)
    except CommandFailed as failure:
        raise UserError(f"building the images failed: {reason(failure.lines)}") from None
    say(f"[images] ready: {time.monotonic() - started:.1f} s")
