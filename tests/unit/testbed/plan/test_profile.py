"""`load.profile` in a sweep file: its forms, what comes of them, and what is refused in a line."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from testbed.errors import UserError
from testbed.plan import cells, trials
from testbed.plan.calibration import work
from testbed.plan.profile import label
from testbed.plan.schema import Sweep
from testbed.plan.sweepfile import Machine, dump, parse
from testbed.stack import locust_api

MACHINE = Machine(cpus=4, memory_bytes=8 * 2**30)


def sweep(profile: Any, place: Path = Path("a.yaml"), duration: str = "60s", **load: Any) -> Sweep:
    document = {"name": "a", "models": "spmt", "duration": duration, "load": {"mode": "open", **load}}
    document["load"]["profile"] = profile
    return parse(yaml.safe_dump(document, sort_keys=False), place, MACHINE)


def refused(profile: Any, **more: Any) -> str:
    with pytest.raises(UserError) as caught:
        sweep(profile, **more)
    line = str(caught.value)
    assert "\n" not in line
    assert ", allowed: " in line
    return line


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ([{"rate": 100, "for": "20s"}, {"rate": 400, "for": "40s"}], "100x20s,400x40s"),
        ([{"from": 0, "to": 400, "for": "1m"}], "0-400x60s"),
        ([{"mean": 200, "amplitude": 150, "period": "60s", "for": "60s"}], "200+-150/60sx60s"),
        ("100x20s, 400x0.5m", "100x20s,400x30s"),
    ],
)
def test_segments_and_their_short_form_are_the_same(written: Any, text: str) -> None:
    found = sweep(written)
    assert found.load.profile == (text,)
    assert sweep(text) == found
    assert parse(dump(found), Path("b.yaml"), MACHINE) == found
    (cell,) = cells.cells(found)
    assert cell.profile == text


def test_the_rate_of_a_profile_is_its_mean_over_the_window_and_its_last_rate_holds_until_the_closing() -> None:
    found = sweep("100x20s,400x20s")
    (trial,) = trials.trials(found)
    assert trial.cell.rate_rps == pytest.approx((100 * 20 + 400 * 40) / 60, abs=1e-6)
    form = locust_api.form(trial, work(trial.cell, None), 2.0, 60.0)
    # The load is not asked for the mean.
    assert (form["rate"], form["load_profile"]) == (0, "100x20s,400x20s")


def test_several_profiles_are_crossed_each_with_its_own_mean() -> None:
    found = sweep(["10-30x60s", [{"rate": 5, "for": "60s"}]])
    assert [(cell.profile, cell.rate_rps) for cell in cells.cells(found)] == [("10-30x60s", 20.0), ("5x60s", 5.0)]
    assert parse(dump(found), Path("b.yaml"), MACHINE) == found


def test_one_of_several_profiles_can_be_left_out() -> None:
    text = (
        "name: a\nmodels: [spst, spmt]\nduration: 9s\nload: {mode: open, profile: [5x9s, 6x9s]}\n"
        "exclude: [{model: spst, profile: [{rate: 6, for: 9s}]}]\n"
    )
    found = parse(text, Path("a.yaml"), MACHINE)
    assert [(cell.model, cell.profile) for cell in cells.cells(found)] == [
        ("spst", "5x9s"),
        ("spmt", "5x9s"),
        ("spmt", "6x9s"),
    ]
    assert parse(dump(found), Path("b.yaml"), MACHINE) == found


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("[5x9s, 6x99s]", "a.yaml:5: load.profile: found '6x99s', allowed: at most 60 s, the `duration` of the window"),
        ("[5x9s, 5x9s]", "allowed: each value once"),
        ("[5x9s, 6]", "a.yaml:5: load.profile: found 6, allowed: a list of segments"),
        ("[5x9s, [{rate: 5}]]", "a.yaml:5: load.profile: found {'rate': 5}, allowed: {rate, for}"),
        ("[5x9s, {rate: 5, for: 9s}]", "a.yaml:5: load.profile: found '5x9s', allowed: {rate, for}"),
    ],
)
def test_what_is_wrong_with_one_of_several_profiles_is_a_line(written: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        parse(
            f"name: a\nmodels: spmt\nduration: 60s\nload: {{mode: open, profile:\n  {written}}}\n",
            Path("a.yaml"),
            MACHINE,
        )
    (line,) = str(caught.value).splitlines()
    assert said in line


def test_without_a_profile_a_cell_has_none() -> None:
    document = {"name": "a", "models": "spmt", "load": {"mode": "open", "rate": 5}}
    (trial,) = trials.trials(parse(yaml.safe_dump(document), Path("a.yaml"), MACHINE))
    assert trial.cell.profile == "none"
    assert locust_api.form(trial, work(trial.cell, None), 2.0, 10.0)["load_profile"] == ""


@pytest.mark.parametrize(
    ("text", "profile"),
    [
        ("100\n100\n\n250.5\n", "100x2s,250.5x1s"),
        ("0,100\n10,100\n20,400\n", "100x20s,400x10s"),
        ("1700000000,5\n1700000001.5,7\n", "5x1500ms,7x1500ms"),
        ("3600,5\n3610,7\n3640,9\n", "5x10s,7x30s,9x30s"),
    ],
)
def test_a_recorded_list_becomes_part_of_the_resolved_sweep(tmp_path: Path, text: str, profile: str) -> None:
    (tmp_path / "rates.csv").write_text(text)
    found = sweep([{"csv": "rates.csv"}], tmp_path / "a.yaml", "70s")
    assert found.load.profile == (profile,)
    (tmp_path / "rates.csv").unlink()
    assert parse(dump(found), tmp_path / "elsewhere" / "b.yaml", MACHINE) == found


def test_a_recorded_list_can_be_followed_by_segments(tmp_path: Path) -> None:
    (tmp_path / "rates.csv").write_text("1\n2\n")
    assert sweep([{"csv": "rates.csv"}, {"rate": 9, "for": "5s"}], tmp_path / "a.yaml").load.profile == (
        "1x1s,2x1s,9x5s",
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "rates.csv is empty"),
        ("\n\n", "rates.csv is empty"),
        ("1\nfast\n", "rates.csv:2 has 'fast'"),
        ("rate\n1\n", "rates.csv:1 has 'rate'"),
        ("1\n-2\n", "rates.csv:2 has '-2'"),
        ("1\nnan\n", "rates.csv:2 has 'nan'"),
        ("1\n0,2\n", "rates.csv:2 has '0,2'"),
        ("0,1,2\n", "rates.csv:1 has '0,1,2'"),
        ("0,1\n0,2\n", "rates.csv:2 has 0 after 0"),
        ("0,1\n", "nothing says how long it holds"),
        (None, "rates.csv cannot be read: No such file or directory"),
    ],
)
def test_a_bad_recorded_list_is_a_line_with_its_place(tmp_path: Path, text: str | None, said: str) -> None:
    if text is not None:
        (tmp_path / "rates.csv").write_text(text)
    line = refused([{"rate": 5, "for": "1s"}, {"csv": "rates.csv"}], place=tmp_path / "a.yaml")
    assert line.startswith(f"{tmp_path / 'a.yaml'}:9: load.profile: found {{'csv': 'rates.csv'}}, allowed: ")
    assert said in line


@pytest.mark.parametrize(
    ("profile", "more", "said"),
    [
        ([], {}, "load.profile: found an empty list, allowed: a list of segments"),
        (5, {}, "load.profile: found 5, allowed: a list of segments"),
        ({"rate": 5, "for": "9s"}, {}, "allowed: a list of segments"),
        ("5x9", {}, "load.profile: found '5x9', allowed: segment 1, '5x9': allowed: segments such as 100x20s"),
        ([{"rate": 5}], {}, "found {'rate': 5}, allowed: {rate, for}, {from, to, for}"),
        ([{"rate": 5, "for": "9s", "to": 9}], {}, "allowed: {rate, for}, {from, to, for}"),
        ([{"rate": -5, "for": "9s"}], {}, "rates from 0 to 1000000 requests per second, not -5"),
        ([{"rate": True, "for": "9s"}], {}, "rates from 0 to 1000000 requests per second, not True"),
        ([{"rate": 5, "for": 9}], {}, "durations: a number with one of the units"),
        ([{"rate": 5, "for": "0s"}], {}, "a segment of 1ms to 86400s, not 0s"),
        ([{"from": 5, "to": -1, "for": "9s"}], {}, "rates from 0 to"),
        ([{"mean": 5, "amplitude": 6, "period": "9s", "for": "9s"}], {}, "a swing of at most the mean, 5, not 6"),
        ("5x61s", {}, "load.profile: found '5x61s', allowed: at most 60 s, the `duration` of the window; these"),
        ("0x60s", {}, "allowed: rates that come to at least one request in the window of 60 s"),
        ("5x9s", {"rate": 5}, "rate or profile, not both"),
        ("5x9s", {"mode": "closed"}, "profile only with mode open, not closed"),
        ("5x9s", {"mode": "capacity", "slo": {"p99": "5ms"}}, "profile only with mode open, not capacity"),
        ("5x9s", {"mode": "relative", "slo": {"p99": "5ms"}, "at": 0.5}, "profile only with mode open, not relative"),
    ],
)
def test_what_cannot_be_run_is_refused_in_one_line(profile: Any, more: dict[str, Any], said: str) -> None:
    assert said in refused(profile, **more)


def test_an_open_loop_needs_a_rate_or_a_profile() -> None:
    with pytest.raises(UserError, match="rate or profile beside mode open, which needs one"):
        parse("name: a\nmodels: spmt\nload: {mode: open}\n", Path("a.yaml"), MACHINE)


def test_a_long_profile_is_told_by_what_it_comes_to() -> None:
    assert label("100x20s,400x60s") == "100x20s,400x60s"
    assert label(",".join(f"{rate}x1s" for rate in range(1, 101))) == "100 segments, up to 100, 100s"
    assert label("none") == "none"
