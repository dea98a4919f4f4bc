"""What the images are made of and which base is chosen, without Docker."""

import json
import re
from pathlib import Path

import pytest

from testbed import names
from testbed.errors import UserError
from testbed.stack import fingerprint, images

PROJECT = Path(__file__).parents[4]

BUILD = """\
#5 [spst server 1/5] FROM threadmill/base
#9 [locust internal] load build context
#22 [locust packages 3/3] RUN --mount=type=secret,id=ca_bundle     python3 -m venv /opt/venv  && pip install
#22 0.312 Collecting locust
#23 [spst server 5/5] RUN python3 -m compileall -q servers
#22 [locust packages 3/3] RUN --mount=type=secret,id=ca_bundle     python3 -m venv /opt/venv  && pip install
#22 0.913 Collecting flask
#23 CACHED
#26 [spst] exporting to image
#26 exporting layers 3.3s done
#26 DONE 3.4s
"""


def put(path: Path, script: str) -> None:
    path.write_text(script)
    path.chmod(0o755)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with nothing on it but a `docker` that notes its arguments and has no image and no registry."""
    directory = tmp_path / "bin"
    directory.mkdir()
    monkeypatch.setenv("PATH", str(directory))
    monkeypatch.delenv("THREADMILL_BASE", raising=False)
    put(directory / "docker", f'#!/bin/sh\necho "$@" >>{tmp_path}/asked\necho no such host >&2\nexit 1\n')
    return directory


def test_only_steps_that_take_time_are_shown_and_each_once() -> None:
    progress = images.Progress()
    shown = [line for line in map(progress.feed, BUILD.splitlines()) if line]
    assert shown == [
        "[images] locust: RUN python3 -m venv /opt/venv  && pip install",
        "[images] spst: exporting to image",
    ]


def test_the_reason_of_a_failed_build_is_its_last_error_not_its_last_line() -> None:
    lines = ["#8 1.2 ERROR: No matching distribution", "ERROR: failed to solve: exit code 1", "", "see the log"]
    assert images.reason(lines) == "ERROR: failed to solve: exit code 1"
    assert images.reason([]) == "no reason given"


def test_a_base_that_is_named_is_taken_without_asking_docker(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THREADMILL_BASE", "mirror.example/python:3.13")
    assert images.choose_base(print).reference == "mirror.example/python:3.13"
    assert not (programs.parent / "asked").exists()


def test_our_own_base_is_taken_again_only_while_its_recipe_is_the_same(programs: Path) -> None:
    put(programs / "docker", f'#!/bin/sh\n[ "$1 $2" = "image inspect" ] && echo {images.recipe()}\n')
    assert images.choose_base(print).reference == images.OWN_BASE
    answer = '[ "$5" = threadmill/base ] && echo another-recipe && exit 0; [ "$5" = python:3.13-slim-trixie ]'
    put(programs / "docker", f"#!/bin/sh\n{answer}\n")
    assert images.choose_base(print).reference == images.PYTHON_IMAGE


def test_the_official_image_is_taken_where_a_registry_answers(programs: Path) -> None:
    answer = 'case $1 in image) exit 1 ;; pull) echo "3.13-slim-trixie: Pulling from library/python" ;; esac'
    put(programs / "docker", f"#!/bin/sh\n{answer}\n")
    said: list[str] = []
    base = images.choose_base(said.append)
    assert (base.reference, base.origin) == (images.PYTHON_IMAGE, "from the registry")
    assert said == [f"[setup] pulling {images.PYTHON_IMAGE} ..."]


@pytest.mark.timeout(30)
def test_a_registry_that_never_answers_is_given_up(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(programs / "docker", '#!/bin/sh\n[ "$1" = pull ] && exec /bin/sleep 600\nexit 1\n')
    monkeypatch.setattr(images, "REGISTRY_ANSWER_S", 0.1)
    with pytest.raises(UserError, match="no image registry answers"):
        images.choose_base(print)


@pytest.mark.usefixtures("programs")
def test_without_registry_and_mmdebstrap_and_apt_one_line_says_what_is_needed() -> None:
    with pytest.raises(UserError) as error:
        images.choose_base(print)
    (line,) = str(error.value).splitlines()
    assert line.startswith("no image registry answers; a base image of our own needs `mmdebstrap`: install it")


def test_the_file_the_user_names_wins_over_the_machines_own_certificates(tmp_path: Path) -> None:
    named = tmp_path / "proxy.pem"
    named.write_text("certificate")
    assert images.ca_bundle({"PIP_CERT": str(named)}) == str(named)
    assert images.ca_bundle({"CA_BUNDLE": str(named), "PIP_CERT": "/nonexistent"}) == str(named)


def test_no_committed_lock_file_names_a_package_index() -> None:
    locked = [path.read_text() for path in (PROJECT / "requirements").glob("*.txt")]
    assert len(locked) == 10
    assert all("--hash=sha256:" in text for text in locked)
    assert not any(re.search(r"https?://|--index|--extra-index|--find-links|\w+@", text) for text in locked)


SOURCES = fingerprint.sources(PROJECT)


def labels(name: str, **other: str) -> dict[str, str]:
    return {
        fingerprint.SOURCE_LABEL: SOURCES[fingerprint.kind(name)],
        fingerprint.BASE_LABEL: fingerprint.DEFAULT_BASE,
        **{f"threadmill.{key}": value for key, value in other.items()},
    }


def put_images(programs: Path, here: dict[str, dict[str, str]], base: bool = False) -> None:
    """A `docker` that has these images with these labels, and maybe a base; it builds, and pulls nothing."""
    listed = " ".join(f"{names.image_name(name)}:latest" for name in here)
    lines = "\n".join(json.dumps(found) for found in here.values())
    (programs.parent / "labels").write_text(lines + "\n")
    put(
        programs / "docker",
        f"""#!/bin/sh
        echo "$@" >>{programs.parent}/asked
        case "$*" in
            "image ls"*) echo {listed} ;;
            "image inspect"*" threadmill/base") {f"echo {images.recipe()}" if base else "exit 1"} ;;
            "image inspect"*"json"*) while read -r line; do echo "$line"; done <{programs.parent}/labels ;;
            compose*build*) echo "$SOURCE_SERVER $SOURCE_PROBE $BASE_NAME $BASE" >>{programs.parent}/built ;;
            *) echo no such host >&2; exit 1 ;;
        esac
        """,
    )


@pytest.fixture
def own_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(images, "COMPOSE_VARIABLES", tmp_path / ".env")
    return tmp_path / ".env"


def asked(programs: Path) -> str:
    return (programs.parent / "asked").read_text()


def test_with_every_image_of_this_code_nothing_is_built_pulled_or_made(programs: Path, own_variables: Path) -> None:
    put_images(programs, {name: labels(name) for name in names.EVERY})
    images.build(None, print)
    images.build_missing(["spst", "probe"], print)
    # No base is there, and the stand-in would have told of every other question.
    assert {" ".join(line.split()[:2]) for line in asked(programs).splitlines()} == {"image ls", "image inspect"}
    assert not own_variables.exists()


def test_exactly_what_is_missing_or_of_other_code_is_built_and_given_its_label(
    programs: Path, own_variables: Path
) -> None:
    # In the order in which they are listed, which `docker image inspect` keeps.
    here = {name: labels(name) for name in names.EVERY if name != "prefork"}
    put_images(programs, here | {"mpst": labels("mpst", source="older"), "probe": {}}, base=True)
    assert images.outdated() == {"mpst": "of other code", "prefork": "missing", "probe": "of unknown code"}
    said: list[str] = []
    images.build_missing(names.EVERY, said.append)
    assert asked(programs).splitlines()[-1].endswith(" build mpst prefork probe")
    built = f"{SOURCES['server']} {SOURCES['probe']} {fingerprint.DEFAULT_BASE} {images.OWN_BASE}\n"
    assert (programs.parent / "built").read_text() == built
    assert said[0] == (
        "[images] threadmill/mpst: of other code; threadmill/prefork: missing; threadmill/probe: of unknown code"
    )
    # What `docker compose` by hand builds on from now on.
    assert f"BASE={images.OWN_BASE}" in own_variables.read_text().splitlines()


@pytest.mark.usefixtures("own_variables")
def test_force_builds_what_is_of_this_code_too(programs: Path) -> None:
    put_images(programs, {name: labels(name) for name in names.EVERY}, base=True)
    images.build(["spst"], print, force=True)
    assert asked(programs).splitlines()[-1].endswith(" build spst locust probe")


@pytest.mark.usefixtures("own_variables")
def test_another_base_that_is_named_makes_an_image_stale(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_images(programs, {"spst": labels("spst"), "spmt": labels("spmt", base="mine")})
    assert images.outdated(["spst", "spmt"]) == {"spmt": "on another base (mine)"}
    monkeypatch.setenv("THREADMILL_BASE", "mine")
    assert images.outdated(["spst", "spmt"]) == {"spst": "on another base (default)"}


@pytest.mark.usefixtures("own_variables")
def test_an_image_of_other_code_that_cannot_be_built_is_named_with_what_to_do(programs: Path) -> None:
    put_images(programs, {"spst": labels("spst"), "spmt": labels("spmt", source="older")})
    with pytest.raises(UserError) as error:
        images.build_missing(["spst", "spmt"], print)
    (line,) = str(error.value).splitlines()
    assert line.startswith("threadmill/spmt: of other code; cannot be built: no image registry answers")
    assert "bring images of this very code with `docker load`" in line
    assert line.endswith("let a sweep use what is there by `images: {spmt: threadmill/spmt}` in its file")


def test_a_compose_environment_that_is_somebody_elses_is_left_alone(own_variables: Path) -> None:
    base = images.Base(images.OWN_BASE, "made here")
    own_variables.write_text("SERVER_CPUS=0.5\n")
    images.remember(base)
    assert own_variables.read_text() == "SERVER_CPUS=0.5\n"
    own_variables.unlink()
    images.remember(images.Base("another", "named"))
    images.remember(base)
    assert re.findall("^BASE=(.*)$", own_variables.read_text(), re.MULTILINE) == [images.OWN_BASE]


@pytest.mark.parametrize(
    "lines",
    [
        [
            "WARNING: Retrying after connection broken by 'SSLError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] failed ...",
            "ERROR: Could not find a version that satisfies the requirement uv==0.13.9 (from versions: none)",
            "ERROR: No matching distribution found for uv==0.13.9",
        ],
        [
            "error: Failed to fetch: https://index.example/simple/idna/",
            "  cause: client error (Connect)",
            "  cause: invalid peer certificate: UnknownIssuer",
        ],
    ],
)
def test_a_certificate_that_is_not_trusted_is_named_as_the_cause(lines: list[str]) -> None:
    assert "certificate of the package index" in images.reason(lines)
    assert images.reason(lines).endswith("PIP_CERT=FILE")
    assert "certificate" not in images.reason([line for line in lines if "certificate" not in line.lower()])
