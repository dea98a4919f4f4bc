"""Which server is meant, and one clear line where that cannot be told."""

import pytest

from testbed.errors import UserError
from testbed.watch.looks import Options, check_options
from testbed.watch.target import Target, check, choose, none_runs, one_of
from tests.unit.testbed.watch.made import target

SPMT = target()
SPST = target(name="threadmill-spst-1", model="spst")
OTHER_SPST = target(name="mine", model="spst")

REPLICAS = [target(name=f"p-spmt-{number}", project="p") for number in (1, 2)]
FRONT = target(name="p-haproxy-1", model="haproxy", role="front", project="p", behind=("spmt",))


def chosen(targets: list[Target], wanted: str | None) -> list[str]:
    group = choose(targets, wanted)
    assert group is not None
    return [one.name for one in group.every]


@pytest.mark.parametrize("wanted", [None, "spmt", "threadmill-spmt-1"])
def test_the_only_one_is_meant_by_nothing_its_model_or_its_name(wanted: str | None) -> None:
    assert chosen([SPMT], wanted) == [SPMT.name]


def test_of_several_the_named_one() -> None:
    assert chosen([SPMT, SPST], "spst") == [SPST.name]
    assert chosen([SPST, OTHER_SPST], "mine") == ["mine"]
    assert choose([SPMT], "spst") is None


def test_the_containers_of_a_model_in_a_project_are_watched_together_with_what_stands_before_them() -> None:
    every = [*REPLICAS, FRONT]
    names = ["p-haproxy-1", "p-spmt-1", "p-spmt-2"]
    assert chosen(every, None) == chosen(every, "spmt") == chosen(every, "haproxy") == chosen(every, "p") == names
    assert chosen(every, "p-spmt-2") == ["p-spmt-2"]
    assert chosen(every, "p-haproxy-1") == ["p-haproxy-1"]
    group = choose(every, None)
    assert group is not None
    assert group.models == ("spmt", "haproxy")


def test_a_front_of_servers_that_speak_http_is_told_of_them_by_the_name_of_their_image() -> None:
    front = target(name="p-haproxy-1", model="haproxy", role="front", project="p", behind=("spmt-http",))
    assert chosen([*REPLICAS, front], "spmt")[0] == "p-haproxy-1"


def test_a_front_of_another_model_or_of_another_project_is_none_of_theirs() -> None:
    other_model = target(name="p-nginx-1", model="nginx", role="front", project="p", behind=("spst",))
    elsewhere = target(name="q-haproxy-1", model="haproxy", role="front", project="q", behind=("spmt",))
    assert chosen([*REPLICAS, other_model, elsewhere], "spmt") == ["p-spmt-1", "p-spmt-2"]
    assert chosen([*REPLICAS, other_model], "nginx") == ["p-nginx-1"]


def test_what_stands_behind_servers_of_the_same_project_and_trial_is_watched_with_them() -> None:
    server, other = target(project="t"), target(name="other-spmt-1", project="other")
    store = target(name="threadmill-postgres-1", model="postgres", role="store", project="t")
    elsewhere = target(name="x-postgres-1", model="postgres", role="store", project="x")
    of_a_trial = target(name="threadmill-nats-1", model="nats", role="broker", project="t", trial_id="001")
    found = choose([server, store, elsewhere, of_a_trial], "spmt")
    assert found is not None
    assert (found.servers, found.parts, found.every) == ((server,), (store,), (server, store))
    by_itself = choose([server, store, other], "threadmill-postgres-1")
    assert by_itself is not None
    assert by_itself.every == (store,)
    assert choose([store], None) is None


def test_a_sweeps_front_knows_its_servers_by_their_numbers() -> None:
    numbered = target(name="p-front-1", model="haproxy", role="front", project="p", behind=("spmt-1", "spmt-2"))
    assert chosen([*REPLICAS, numbered], "spmt")[0] == "p-front-1"
    other = target(name="p-front-1", model="haproxy", role="front", project="p", behind=("spmt-x-1", "spmts-2"))
    assert chosen([*REPLICAS, other], "spmt") == ["p-spmt-1", "p-spmt-2"]


def test_packets_are_of_one_server() -> None:
    one, both = choose([SPMT], None), choose(REPLICAS, None)
    assert one is not None and both is not None
    assert one_of(one) is SPMT
    with pytest.raises(UserError, match="several servers run: p-spmt-1, p-spmt-2; say which, such as `watch p-spmt-1`"):
        one_of(both)


@pytest.mark.parametrize(
    ("targets", "wanted", "say"),
    [
        ([SPMT, SPST], None, "watch spmt"),
        ([SPST, OTHER_SPST], "spst", "watch threadmill-spst-1"),
        ([*REPLICAS, target(name="q-spmt-1", project="q")], None, "watch p"),
    ],
)
def test_several_are_named_with_what_to_say(targets: list[object], wanted: str | None, say: str) -> None:
    with pytest.raises(UserError, match=r"several servers run: .*; say which, such as") as caught:
        choose(targets, wanted)  # type: ignore[arg-type]
    assert f"`{say}`" in str(caught.value)


def test_what_is_no_model_and_no_container_is_refused_with_what_is_allowed() -> None:
    with pytest.raises(UserError, match=r"MODEL: found 'spmd', allowed: spst, .*or the name of a running"):
        check("spmd", [SPMT])
    check("threadmill-spmt-1", [SPMT])
    check("prefork", [])


def test_where_none_runs_the_line_says_how_to_start_one() -> None:
    assert none_runs([], None).endswith("orchestrate.py up spmt")
    assert none_runs([SPMT], "prefork") == (
        "no server of prefork runs here (running: spmt (threadmill-spmt-1)); to start one: "
        ".venv/bin/python orchestrate.py up prefork"
    )


@pytest.mark.parametrize("interval_s", [0.0, 0.19, 61.0, float("nan")])
def test_an_interval_out_of_range_is_refused(interval_s: float) -> None:
    with pytest.raises(UserError, match=r"--interval: found .*, allowed: 0.2 to 60 seconds"):
        check_options(Options(None, interval_s, once=False, as_json=False, packets=False))


def test_packets_are_no_json() -> None:
    with pytest.raises(UserError, match=r"--packets and --json: both given"):
        check_options(Options(None, 1.0, once=False, as_json=True, packets=True))


def test_sidecars_of_the_same_project_are_watched_with_their_servers() -> None:
    beside = target(name="p-spmt-1-sidecar-1", model="envoy", role="sidecar", project="p")
    elsewhere = target(name="q-sidecar-1", model="envoy", role="sidecar", project="q")
    assert chosen([*REPLICAS, FRONT, beside, elsewhere], "spmt") == [
        *("p-haproxy-1", "p-spmt-1", "p-spmt-2"),
        "p-spmt-1-sidecar-1",
    ]
    assert chosen([*REPLICAS, beside], beside.name) == [beside.name]
