"""The table of models holds for what stands outside of it: images, compose, README, pages. Nothing else has names."""

import ast
import re
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path

import pytest
import yaml

from loadtests.master.served_by import NUMBERED_PROBES
from servers.models import MODELS, SERVERS, TABLE, VARIANTS, traits
from testbed.names import BEHIND, HTTP, PARTS, behind_name, http_name, image_name
from testbed.report.colours import LOOKS

PROJECT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.load((PROJECT / "docker-compose.yml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
SERVICES = COMPOSE["services"]
DOCKERFILE = (PROJECT / "images/server/Dockerfile").read_text(encoding="utf-8")
README = (PROJECT / "README.md").read_text(encoding="utf-8")
MAP = (PROJECT / "docs/README.md").read_text(encoding="utf-8")
# Locust's page.
WEB_PORT = 8089
# What may stand before several containers, and its port.
FRONTS = {"haproxy": 8094, "nginx": 8095, "nginx-cache": 8096, "varnish": 8097, "haproxy-http": 8098, "envoy": 8099}
# Their modules are told which models there are.
WITHOUT_NAMES = ("testbed", "loadtests", "probe", "benchmarks", "images", "orchestrate.py")
# What is claimed is claimed of models, each by its name.
OF_MODELS = PROJECT / "testbed" / "claims"
_NAMES = sorted(SERVERS, key=len, reverse=True)
_A_NAME = re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, _NAMES))})(?![\w-])")
_SOME = traits.Size(3, 5, 7)


def test_places_ports_and_looks_are_each_models_own() -> None:
    assert sorted(TABLE[model].place for model in MODELS) == list(range(1, len(MODELS) + 1))
    ports = [TABLE[name].port for name in SERVERS]
    assert len({*ports, WEB_PORT}) == len(SERVERS) + 1
    assert len(set(LOOKS.values())) == len(SERVERS)
    assert list(LOOKS) == list(SERVERS)


@pytest.mark.parametrize("name", SERVERS)
def test_a_record_is_whole_and_agrees_with_itself(name: str) -> None:
    one = TABLE[name]
    assert 20 < len(one.about) < 120 and one.about.endswith(".")
    assert one.pool in ("", traits.WORKERS, traits.THREADS)
    assert one.threads(_SOME) >= one.processes(_SOME) >= 1
    larger = _SOME._replace(**{one.pool: 9}) if one.pool else _SOME
    sizes = [(one.processes(size), one.threads(size)) for size in (_SOME, larger)]
    assert (sizes[0] != sizes[1]) == bool(one.pool), "its pool is what its processes and threads depend on"
    assert one.slots_of(_SOME) is None or 1 <= one.slots_of(_SOME) <= one.threads(_SOME)
    assert one.sockets(_SOME) >= 1


@pytest.mark.parametrize("name", SERVERS)
def test_a_models_service_builds_its_image_and_has_its_port(name: str) -> None:
    service = SERVICES[name]
    assert service["image"] == image_name(name)
    assert service["build"]["dockerfile"] == "images/server/Dockerfile"
    assert service["build"]["args"]["MODEL"] == name
    assert service["build"]["target"] == ("variant" if TABLE[name].package else "model")
    assert service["ports"] == [f"127.0.0.1:${{SERVER_PORT-{TABLE[name].port}}}:8081"]
    without = {"image", "build", "ports"}
    of_first = {key: value for key, value in SERVICES[SERVERS[0]].items() if key not in without}
    assert {key: value for key, value in service.items() if key not in without} == of_first, "limits as the others'"


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize(("called", "kind"), [(behind_name, "behind"), (http_name, "http")])
def test_a_model_that_talks_to_what_is_behind_it_or_speaks_http_is_the_same_but_for_that(
    called: Callable[[str], str], kind: str, name: str
) -> None:
    one, model = SERVICES[called(name)], SERVICES[name]
    assert one["image"] == image_name(called(name))
    assert one["build"]["args"]["MODEL"] == name
    assert one["build"]["target"] == (f"variant-{kind}" if TABLE[name].package else kind)
    assert one["profiles"] == [kind]
    assert model["environment"].items() < one["environment"].items()
    own = {"image", "build", "environment", "profiles"}
    assert {key: value for key, value in one.items() if key not in own} == {
        key: value for key, value in model.items() if key not in own
    }


@pytest.mark.parametrize("name", SERVERS)
def test_a_models_probe_looks_at_it_and_tells_its_name(name: str) -> None:
    probe = SERVICES[f"probe-{name}"]
    assert probe["pid"] == f"service:{name}"
    assert probe["command"] == ["--push", "http://locust:8089/threadmill/samples", "--model", name]


def test_compose_has_no_server_that_is_no_model() -> None:
    built = {name for name, one in SERVICES.items() if one.get("image", "").startswith("threadmill/")}
    watched = {*SERVERS, *HTTP, *FRONTS, *(str(number + 1) for number in range(NUMBERED_PROBES))}
    assert built - set(SERVERS) - {f"probe-{name}" for name in watched} == {
        *FRONTS,
        *PARTS,
        *BEHIND,
        *HTTP,
        *("locust", "worker", "client", "probe", "sidecar"),
    }


def test_each_of_several_containers_has_a_probe_by_its_number() -> None:
    for number in range(1, NUMBERED_PROBES + 1):
        probe = SERVICES[f"probe-{number}"]
        assert probe["pid"] == f"container:${{COMPOSE_PROJECT_NAME}}-${{BACKEND:-spmt}}-{number}"
        assert probe["command"] == ["--push", "http://locust:8089/threadmill/samples", "--model", "${BACKEND:-spmt}"]
    assert f"probe-{NUMBERED_PROBES + 1}" not in SERVICES


@pytest.mark.parametrize("front", FRONTS)
def test_a_front_has_a_port_of_its_own_and_is_behind_no_other_model_than_the_load_is_told(front: str) -> None:
    service, port = SERVICES[front], FRONTS[front]
    assert port not in {WEB_PORT, *(TABLE[name].port for name in SERVERS)}
    assert service["ports"][0] == f"127.0.0.1:${{FRONT_PORT-{port}}}:8081"
    assert service["depends_on"] == ["${BACKEND:-spmt}"]
    assert SERVICES[f"probe-{front}"]["pid"] == f"service:{front}"
    told = SERVICES["locust"]["environment"]["FRONTS"]
    assert told == ",".join(f"{one}=${{BACKEND:-spmt}}" for one in FRONTS)


@pytest.mark.parametrize("service", ["locust", "worker"])
def test_the_load_is_told_of_every_model_and_which_serve_one_client_at_a_time(service: str) -> None:
    told = SERVICES[service]["environment"]
    # What a shell adds are those that speak HTTP.
    assert told["TARGETS"].split(",") == [*SERVERS, "${MORE_TARGETS-}"]
    sequential = [name for name in SERVERS if TABLE[name].slots_of(traits.Size(9, 9)) == 1]
    assert told["ONE_AT_A_TIME"].split(",") == [*sequential, *map(http_name, sequential)]


def test_the_images_are_told_of_their_model_when_they_are_built_and_name_none_themselves() -> None:
    assert _A_NAME.findall(DOCKERFILE) == []
    targets = {
        "server AS model": "",
        "server-uvloop AS variant": "",
        "server-behind AS behind": "-behind",
        "server-uvloop-behind AS variant-behind": "-behind",
        "server-http AS http": "-http",
        "server-uvloop-http AS variant-http": "-http",
    }
    for target, more in targets.items():
        after = DOCKERFILE.partition(f"\nFROM {target}\n")[2].partition("\nFROM ")[0].splitlines()
        assert after[0] == "ARG MODEL"
        title = f'LABEL org.opencontainers.image.title="threadmill/${{MODEL}}{more}" threadmill.model="${{MODEL}}"'
        assert title in after, "what an image is called"
        assert "ENV MODEL=${MODEL}" in after
        assert 'ENTRYPOINT ["sh", "-c", "exec python3 -m servers \\"$MODEL\\""]' in after


@pytest.mark.parametrize("model", MODELS)
def test_the_readme_has_a_row_for_the_model(model: str) -> None:
    assert re.search(rf"^\| `threadmill/{model}` \|", README, re.MULTILINE)


@pytest.mark.parametrize("model", MODELS)
def test_the_map_of_the_docs_has_a_row_for_the_model_and_its_page_is_there(model: str) -> None:
    assert re.search(rf"^\| \d+ \| \[{model}\]\(models/{model}\.md\) \|", MAP, re.MULTILINE)
    page = PROJECT / "docs/models" / f"{model}.md"
    assert page.read_text(encoding="utf-8").startswith(f"# {model}: ")


@pytest.mark.parametrize("name", SERVERS)
def test_the_readme_says_the_port(name: str) -> None:
    assert re.search(rf"`{name}` {TABLE[name].port}\b", README)


def test_there_is_no_page_of_a_model_that_is_none() -> None:
    assert sorted(path.stem for path in (PROJECT / "docs/models").glob("*.md")) == sorted(MODELS)
    rows = re.findall(r"^\| `threadmill/([\w-]+)` \|", README, re.MULTILINE)
    assert sorted(rows) == sorted(MODELS)


def literals(source: str) -> Iterator[tuple[int, str]]:
    """The strings of a module with their lines, without those that only explain."""
    nodes = list(ast.walk(ast.parse(source)))
    bodies = [body for node in nodes if isinstance(body := getattr(node, "body", None), list)]
    explaining = {
        id(line.value) for body in bodies for line in body if isinstance(line, ast.Expr)
    }  # docstrings, also those below a field
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in explaining:
            yield node.lineno, node.value


def test_no_module_outside_of_servers_knows_a_model_by_its_name() -> None:
    modules = [path for place in WITHOUT_NAMES for path in sorted((PROJECT / place).rglob("*.py"))]
    modules = [path for path in modules if OF_MODELS not in path.parents]
    modules.append(PROJECT / "orchestrate.py")
    assert len(modules) > 100
    found = [
        f"{path.relative_to(PROJECT)}:{line}: {text!r}"
        for path in modules
        for line, text in literals(path.read_text(encoding="utf-8"))
        if _A_NAME.search(text)
    ]
    assert found == []


def test_a_name_in_a_string_is_noticed_and_one_in_an_explanation_is_not() -> None:
    source = '"""Of prefork."""\nx = f"{y} spst"\nclass A:\n    b: int\n    """Of spmt."""\n    c = "spsts my-spst"\n'
    assert [line for line, text in literals(source) if _A_NAME.search(text)] == [2]


def test_a_variant_differs_from_its_model_in_port_package_and_words_only() -> None:
    for variant, model in VARIANTS.items():
        differs = {
            field
            for field, here, there in zip(traits.Traits._fields, TABLE[variant], TABLE[model], strict=True)
            if here != there
        }
        assert differs == {"port", "about", "imports", "package", "base"}
        assert variant == f"{model}-{TABLE[variant].package}"


def test_models_are_listed_by_place_and_variants_after_them() -> None:
    assert list(SERVERS) == [*MODELS, *VARIANTS]
    for _, names in groupby(SERVERS, lambda name: bool(TABLE[name].base)):
        places = [TABLE[name].place for name in names]
        assert places == sorted(places)
