"""Which code an image is of: the value depends on what the image is made of and on nothing else."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from servers.models import MODELS, SERVERS, VARIANTS
from testbed.names import EVERY
from testbed.stack.fingerprint import BASE_LABEL, DEFAULT_BASE, PARTS, SOURCE_LABEL, kind, sources, what_is_wrong

PROJECT = Path(__file__).parents[4]
SPEAK_HTTP = {"http", "variant-http"}
TALK_BEHIND = {"behind", "variant-behind"} | SPEAK_HTTP
OF_SERVERS = {"server", "variant"} | TALK_BEHIND


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the images are made of, elsewhere."""
    for part in {part for parts in PARTS.values() for part in parts}:
        copy: Callable[[Path, Path], object] = shutil.copytree if (PROJECT / part).is_dir() else shutil.copyfile
        (tmp_path / part).parent.mkdir(parents=True, exist_ok=True)
        copy(PROJECT / part, tmp_path / part)
    return tmp_path


def test_it_is_the_same_in_another_directory_and_with_byte_code_about(checkout: Path) -> None:
    (checkout / "probe" / "__pycache__").mkdir(exist_ok=True)
    (checkout / "probe" / "__pycache__" / "facts.cpython-313.pyc").write_bytes(b"made by running it")
    assert sources(checkout) == sources(PROJECT)


@pytest.mark.parametrize(
    ("touched", "stale"),
    [
        ("servers/models/spst.py", OF_SERVERS),
        ("servers/behind/steps.py", TALK_BEHIND),
        ("servers/http/parser.py", SPEAK_HTTP),
        ("images/server/healthcheck.sh", OF_SERVERS),
        ("requirements/uvloop.txt", {"variant", "variant-behind", "variant-http"}),
        ("requirements/behind.txt", TALK_BEHIND),
        ("requirements/http.txt", SPEAK_HTTP),
        ("loadtests/locustfile.py", {"locust"}),
        ("requirements/locust.txt", {"locust"}),
        ("images/probe/Dockerfile", {"probe"}),
        ("requirements/probe.txt", {"probe"}),
        ("images/base/packages.txt", set(PARTS)),
        ("images/nginx/Dockerfile", {"nginx"}),
        ("images/varnish/Dockerfile", {"varnish"}),
        ("fronts/settings.py", {"haproxy", "nginx", "varnish", "envoy"}),
        ("requirements/envoy.txt", {"envoy"}),
        ("behind/settings.py", {"postgres", "pgbouncer", "valkey", "nats", "rabbitmq"}),
        ("consumers/record.py", {"consumer"}),
        ("requirements/consumer.txt", {"consumer"}),
    ],
)
def test_a_change_makes_exactly_the_images_stale_that_hold_it(checkout: Path, touched: str, stale: set[str]) -> None:
    with (checkout / touched).open("a") as file:
        file.write("# touched\n")
    before, after = sources(PROJECT), sources(checkout)
    assert {name for name in PARTS if before[name] != after[name]} == stale


def test_a_file_that_is_added_or_has_another_name_counts(checkout: Path) -> None:
    (checkout / "probe" / "more.py").write_text("")
    added = sources(checkout)
    (checkout / "probe" / "more.py").rename(checkout / "probe" / "other.py")
    renamed = sources(checkout)
    assert len({sources(PROJECT)["probe"], added["probe"], renamed["probe"]}) == 3


@pytest.mark.parametrize(
    ("labels", "wrong"),
    [
        ({SOURCE_LABEL: "a1", BASE_LABEL: DEFAULT_BASE}, None),
        (None, "missing"),
        ({}, "of unknown code"),
        ({SOURCE_LABEL: "", BASE_LABEL: ""}, "of unknown code"),
        ({SOURCE_LABEL: "b2", BASE_LABEL: DEFAULT_BASE}, "of other code"),
        ({SOURCE_LABEL: "a1", BASE_LABEL: "mine"}, "on another base (mine)"),
    ],
)
def test_what_is_wrong_with_an_image_is_said_in_words(labels: dict[str, str] | None, wrong: str | None) -> None:
    assert what_is_wrong(labels, "a1", DEFAULT_BASE) == wrong


def test_an_image_on_the_base_that_is_named_is_right() -> None:
    assert what_is_wrong({SOURCE_LABEL: "a1", BASE_LABEL: "mine"}, "a1", "mine") is None


def test_the_parts_are_all_that_the_dockerfiles_copy() -> None:
    for name, parts in PARTS.items():
        dockerfile = PROJECT / "images" / ("server" if name in OF_SERVERS else name) / "Dockerfile"
        copied = re.findall(r"^COPY (?!--from)(\S+)", dockerfile.read_text(), re.MULTILINE)
        of_others = (
            {f"requirements/{one}.txt" for one in ("uvloop", "behind", "http")} - set(parts)
            if name in OF_SERVERS
            else set()
        )
        assert of_others <= set(copied), (name, copied)
        copied = [path for path in copied if path not in of_others]
        assert all(any(Path(path).is_relative_to(part) for part in parts) for path in copied), (name, copied)


def test_every_image_is_given_the_label_of_its_kind_when_compose_builds_it() -> None:
    services = yaml.safe_load((PROJECT / "docker-compose.yml").read_text())["services"]
    of_kind = {kind(name): services[name]["build"]["labels"][SOURCE_LABEL] for name in EVERY}
    assert of_kind == {name: f"${{SOURCE_{name.upper().replace('-', '_')}:-}}" for name in PARTS}
    built = {name: service for name, service in services.items() if "build" in service}
    for name, service in built.items():
        image = service["image"].removeprefix("threadmill/")
        assert service["build"]["labels"][SOURCE_LABEL] == of_kind[kind(image)], name
    assert {kind(name) for name in MODELS} == {"server"} and {kind(name) for name in VARIANTS} == {"variant"}
    assert set(SERVERS) < set(built)
