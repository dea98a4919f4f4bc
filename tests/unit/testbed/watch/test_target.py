"""Which server is meant, and one clear line where that cannot be told."""

import pytest

from testbed.errors import UserError
from testbed.watch.looks import Options, check_options
from testbed.watch.target import check, choose, none_runs
from tests.unit.testbed.watch.made import target

SPMT = target()
SPST = target(name="threadmill-spst-1", model="spst")
OTHER_SPST = target(name="mine", model="spst")


@pytest.mark.parametrize("wanted", [None, "spmt", "threadmill-spmt-1"])
def test_the_only_one_is_meant_by_nothing_its_model_or_its_name(wanted: str | None) -> None:
    assert choose([SPMT], wanted) is SPMT


def test_of_several_the_named_one() -> None:
    assert choose([SPMT, SPST], "spst") is SPST
    assert choose([SPST, OTHER_SPST], "mine") is OTHER_SPST
    assert choose([SPMT], "spst") is None


@pytest.mark.parametrize(
    ("targets", "wanted", "say"),
    [([SPMT, SPST], None, "watch spmt"), ([SPST, OTHER_SPST], "spst", "watch threadmill-spst-1")],
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
