"""The images: which base they stand on, and building them. Standard library only: the set-up makes the base early.

What an image is made of stands in docker-compose.yml and images/. Each carries a label that says of which code it is;
only what is missing or of other code is built.
"""

import contextlib
import hashlib
import json
import os
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from servers.models import SERVERS
from testbed.errors import UserError
from testbed.names import COMPANIONS, EVERY, FRONTS, USUAL, image_name
from testbed.stack import apt, fingerprint, machine
from testbed.stack.programs import CommandFailed, Commands

PROJECT = Path(__file__).resolve().parent.parent.parent
BASE_RECIPE = PROJECT / "images" / "base"
# Where Compose looks for what the shell does not say: with it, `docker compose up` by hand builds on the same base.
COMPOSE_VARIABLES = PROJECT / ".env"
COMPOSE_VARIABLES_HEAD = "# Written by Threadmill's set-up for `docker compose` by hand; what the shell says wins.\n"
PYTHON_IMAGE = "python:3.13-slim-trixie"
OWN_BASE = "threadmill/base"
RECIPE_LABEL = "threadmill.recipe"
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


def _present(reference: str, label: str = "", value: str = "") -> bool:
    """Whether this image is here, with this label if one is asked for."""
    answer = machine.ask("docker", "image", "inspect", "--format", f'{{{{index .Config.Labels "{label}"}}}}', reference)
    return answer.exit_code == 0 and (not label or answer.output == value)


def _labels() -> dict[str, Mapping[str, str]]:
    """The labels of Threadmill's images that are here, by image name."""
    every = [f"{image_name(name)}:latest" for name in EVERY]
    listed = machine.ask("docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}").output.split()
    if not (here := [reference for reference in every if reference in listed]):
        return {}
    answer = machine.ask("docker", "image", "inspect", "--format", "{{json .Config.Labels}}", *here)
    found = answer.output.splitlines() if answer.exit_code == 0 else []
    return {
        reference.removesuffix(":latest"): json.loads(line) or {} for reference, line in zip(here, found, strict=False)
    }


def outdated(names: Iterable[str] = USUAL) -> dict[str, str]:
    """What is missing or of other code among these, by name, each with what is wrong in words."""
    here = _labels()
    sources = fingerprint.sources(PROJECT)
    base = os.environ.get("THREADMILL_BASE") or fingerprint.DEFAULT_BASE
    wrong = {
        name: fingerprint.what_is_wrong(here.get(image_name(name)), sources[fingerprint.kind(name)], base)
        for name in dict.fromkeys(names)
    }
    return {name: what for name, what in wrong.items() if what}


def in_words(wrong: Mapping[str, str]) -> str:
    """`threadmill/spst, threadmill/spmt: missing; threadmill/probe: of other code`."""
    names: dict[str, list[str]] = {}
    for name, what in wrong.items():
        names.setdefault(what, []).append(image_name(name))
    return "; ".join(f"{', '.join(those)}: {what}" for what, those in names.items())


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
    apt.ensure("mmdebstrap", "mmdebstrap", "no image registry answers; a base image of our own", commands, say)
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


_CERTIFICATE = re.compile(
    r"CERTIFICATE_VERIFY_FAILED|certificate verif\w+ failed|invalid peer certificate|UnknownIssuer"
    r"|confirming the ssl certificate|x509: certificate signed by unknown authority",
    re.IGNORECASE,
)


def reason(lines: Sequence[str]) -> str:
    """The one line of a failed command's output that tells most: its last error, else its last line.

    A certificate that is not trusted is the cause of whatever pip and uv say after it.
    """
    if any(_CERTIFICATE.search(line) for line in lines):
        return (
            "the certificate of the package index, or of a proxy on the way to it, is not trusted here; put the"
            " certificates to trust into a file and name it: PIP_CERT=FILE"
        )
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


def build(names: Sequence[str] | None, say: Say, force: bool = False) -> None:
    """Build these images (default: of all models and fronts), Locust's and the probe's. UserError, one line, if that
    fails.

    What is there and of this code is left as it is, unless `force`.
    """
    build_missing((*(names or (*SERVERS, *FRONTS)), *COMPANIONS), say, force)


def build_missing(names: Sequence[str], say: Say, force: bool = False, commands: Commands | None = None) -> None:
    """Build what is missing or of other code among these: names of models and fronts, `locust`, `probe`.

    With nothing to build, neither a base nor a network nor Compose is needed.
    """
    wrong = outdated(names)
    if not wrong and not force:
        say(f"[images] there and of this code: {len(set(names))}")
        return
    if any(what != "missing" for what in wrong.values()):
        say(f"[images] {in_words(wrong)}")
    try:
        commands = commands or Commands()
        _build(tuple(dict.fromkeys(names)) if force else tuple(wrong), choose_base(say, commands), commands, say)
    except UserError as error:
        raise UserError(_cannot_be_built(wrong, str(error))) from None


def _cannot_be_built(wrong: Mapping[str, str], why: str) -> str:
    """One line: which images are not of this code, why they could not be built, and what to do. Pure."""
    if not wrong:
        return why
    load = "or bring images of this very code with `docker load`"
    stale = [name for name, what in wrong.items() if what != "missing"]
    as_it_is = f"images: {{{', '.join(f'{name}: {image_name(name)}' for name in stale)}}}"
    use = f", or let a sweep use what is there by `{as_it_is}` in its file" if stale else ""
    return f"{in_words(wrong)}; cannot be built: {why}; put that right, {load}{use}"


def compose_variables(base: Base, environment: Mapping[str, str]) -> dict[str, str]:
    """What docker-compose.yml takes from its environment for a build."""
    return {"BASE": base.reference, "CA_BUNDLE": ca_bundle(dict(environment))}


def remember(base: Base) -> None:
    """Have `docker compose` by hand build on this base, too. A file there that is somebody else's is left alone."""
    text = COMPOSE_VARIABLES.read_text() if COMPOSE_VARIABLES.is_file() else COMPOSE_VARIABLES_HEAD
    if text.startswith(COMPOSE_VARIABLES_HEAD):
        lines = [f"{name}={value}\n" for name, value in compose_variables(base, os.environ).items()]
        with contextlib.suppress(OSError):  # a checkout of another user's: only Compose by hand lacks something then
            COMPOSE_VARIABLES.write_text(COMPOSE_VARIABLES_HEAD + "".join(lines))


def label_variables() -> dict[str, str]:
    """What docker-compose.yml makes the labels of. Compose by hand has none of it: such an image is of unknown code."""
    sources = {
        f"SOURCE_{kind.upper().replace('-', '_')}": source for kind, source in fingerprint.sources(PROJECT).items()
    }
    return {**sources, "BASE_NAME": os.environ.get("THREADMILL_BASE") or fingerprint.DEFAULT_BASE}


def _build(names: Sequence[str], base: Base, commands: Commands, say: Say) -> None:
    say(f"[images] base: {base.reference} ({base.origin})")
    remember(base)
    environment = {**os.environ, **compose_variables(base, os.environ), **label_variables()}
    compose = ["docker", "compose", "--project-directory", str(PROJECT), "--file", str(PROJECT / "docker-compose.yml")]
    started = time.monotonic()
    say(f"[images] building {', '.join(names)} ...")

    progress = Progress()

    def show(line: str) -> None:
        if shown := progress.feed(line):
            say(shown)

    try:
        commands.run([*compose, "--progress", "plain", "build", *names], show, environment)
    except CommandFailed as failure:
        raise UserError(f"building the images failed: {reason(failure.lines)}") from None
    say(f"[images] ready: {time.monotonic() - started:.1f} s")
