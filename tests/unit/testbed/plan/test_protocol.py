"""A sweep over lines and HTTP: which cells it has, of which images, and what is refused in a line."""

from pathlib import Path

import pytest

from testbed.errors import UserError
from testbed.names import BEHIND, EVERY, HTTP, USUAL, behind_name, http_name, model_of
from testbed.plan import cells
from testbed.plan.fields import NETWORKS, Machine
from testbed.plan.images import server_images
from testbed.plan.schema import Sweep
from testbed.plan.sweepfile import dump, parse
from testbed.results.table import telling_fields

MACHINE = Machine(4, 2**33, NETWORKS)


def read(text: str) -> Sweep:
    return parse(f"name: a\nmodels: spmt\n{text}\n", Path("a.yaml"), MACHINE)


def test_a_sweep_that_says_nothing_is_over_lines() -> None:
    (cell,) = cells.cells(read(""))
    assert (cell.protocol, cell.cache_control, cell.image) == ("line", "none", "spmt")


def test_protocols_cross_and_only_http_has_a_header() -> None:
    sweep = read("workload: {protocol: [line, http], cache_control: [none, 'public, max-age=2']}")
    found = [(cell.protocol, cell.cache_control) for cell in cells.cells(sweep)]
    assert found == [("line", "none"), ("http", "none"), ("http", "public, max-age=2")]
    assert telling_fields(cells.cells(sweep)) == ["model", "cpus", "protocol", "cache_control"]
    assert parse(dump(sweep), Path("a.yaml"), MACHINE) == sweep


def test_a_protocol_can_be_left_out_beside_a_model() -> None:
    text = "models: [spst, spmt]\nworkload: {protocol: [line, http]}\nexclude: [{model: spst, protocol: http}]\n"
    found = [(cell.model, cell.protocol) for cell in cells.cells(parse(f"name: a\n{text}", Path("a"), MACHINE))]
    assert found == [("spst", "line"), ("spmt", "line"), ("spmt", "http")]


def test_one_image_speaks_http_with_and_without_something_behind() -> None:
    every = "workload: {protocol: [line, http]}\nbehind: [none, postgres]\nlimits: {cpus: 0.5}"
    assert server_images(read(every)) == ["spmt", "spmt-behind", "spmt-http"]
    assert [cell.image for cell in cells.cells(read(every))] == ["spmt", "spmt-behind", "spmt-http", "spmt-http"]


def test_what_stands_in_for_a_model_does_so_in_http_unless_the_image_has_one_of_its_own() -> None:
    http = "workload: {protocol: [line, http]}\n"
    assert server_images(read(f"{http}images: {{spmt: example/mine}}")) == ["spmt"]
    both = "images: {spmt: example/mine, spmt-http: example/other}"
    assert server_images(read(f"{http}{both}")) == ["spmt", "spmt-http"]


def test_a_swarm_runs_it_as_it_is_only_another_image() -> None:
    swarm = Machine(4, 2**33, ("overlay",))
    asked = "name: a\nmodels: spmt\nworkload: {protocol: http}\nnetwork: overlay\n"
    (cell,) = cells.cells(parse(asked, Path("a.yaml"), swarm))
    assert (cell.image, cell.network) == ("spmt-http", "overlay")


def test_the_names_of_images_tell_the_model() -> None:
    assert model_of(http_name("spmt")) == "spmt"
    assert model_of(behind_name("prefork-event-loop")) == "prefork-event-loop"
    assert model_of("prefork-event-loop") == "prefork-event-loop"
    assert len(HTTP) == len(BEHIND)
    assert set(HTTP) <= set(EVERY)
    assert not set(HTTP) & set(USUAL)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("workload: {protocol: tcp}", "a.yaml:3: workload.protocol: found 'tcp', allowed: 'line' or 'http'"),
        (
            "workload: {cache_control: max-age=2}",
            "a.yaml:3: workload.cache_control: found 'max-age=2', allowed: none without protocol http: a line has no",
        ),
        (
            "workload: {protocol: http, cache_control: 'no\tstore'}",
            "workload.cache_control: found 'no\\tstore', allowed: none, or printable ASCII without a space",
        ),
        (f"workload: {{protocol: http, cache_control: {'a' * 201}}}", "at most 200, such as max-age=2"),
        ("workload: {protocol: http, cache_control: ' max-age=2'}", "without a space at either end"),
        (
            "workload: {protocol: http, cache_control: 2}",
            "workload.cache_control: found 2, allowed: none, or printable",
        ),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(UserError) as refused:
        read(text)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
