"""The words above the figures: what was compared, what can be said, what not, and what does not count."""

from typing import get_args

from testbed.judge.verdict import Kind
from testbed.report import conclusions, words, work
from testbed.report.facts import VERDICTS
from tests.made_results import HOSTILE, make_results
from tests.unit.testbed.made_runs import make_run, steady
from tests.unit.testbed.report.pages import text, view_of


def test_the_answer_comes_before_everything_else(seen):
    told = text(words.lead(seen))
    assert told.index("In short, which model for no work but the echo:") < told.index("Machine")
    assert "0.5 CPU: choose prefork" in told


def test_kinds_of_work_are_called_by_what_they_are(tmp_path):
    sweep = {"limits": {"cpus": 0.5}, "workload": {"sleep": ["0us", "5ms"], "spin": "500us"}}
    told = text(words.lead(view_of(make_run(tmp_path / "run", sweep))))
    assert "In short, which model at 0.5 CPU:" in told
    assert "work that mostly computes (computes 500 µs): choose" in told
    assert "work that mostly waits (waits 5 ms, computes 500 µs): choose" in told


def test_machine_limits_and_trials_are_said(seen):
    told = text(words.lead(seen))
    assert "2 processors (a), 8 GiB of memory, Linux 6.1, Docker 29.0" in told
    assert "0.5 CPU, 1 CPU, enforced by a quota" in told
    assert "30 trials in 3 blocks, each with every combination once" in told
    assert "30 server-bound: the server was at its limit" in told


def test_each_verdict_is_counted_and_the_trials_that_do_not_count_are_named_with_reasons(tmp_path):
    verdicts = {1: "invalid", 2: "client-bound", 3: "not-saturated"}

    def measured(cell, block):
        return {"verdict": verdicts[block], "reasons": [f"reason {block}"]}

    seen = view_of(make_run(tmp_path / "run", {"limits": {"cpus": 0.5}}, measured=measured))
    told = text(words.lead(seen))
    for kind in verdicts.values():
        assert f"2 {kind}: " in told
    assert "Why 2 trials are invalid" in told and "reason 1" in told
    assert "Why 2 trials are client-bound" in told and "reason 2" in told
    assert "reason 3" not in told
    assert "The capacity of servers whose trials are client-bound" in " ".join(conclusions.cannot(seen))
    assert "The capacity of servers that were not saturated" in " ".join(conclusions.cannot(seen))


def test_the_verdicts_of_fronts_and_changes_are_told_with_what_does_not_follow(tmp_path):
    kinds = {1: "front-bound", 2: "transient", 3: "server-bound"}

    def measured(cell, block):
        return {"verdict": kinds[block], "reasons": [f"reason {block}"]}

    seen = view_of(make_run(tmp_path / "run", {"limits": {"cpus": 0.5}}, measured=measured))
    told = text(words.lead(seen))
    assert "2 front-bound: what stands before the servers was at its limit" in told
    assert "2 transient: load, limits or replicas were to change" in told
    assert "Why 2 trials are front-bound" in told and "reason 1" in told
    assert "reason 2" not in told
    cannot = " ".join(conclusions.cannot(seen))
    assert "The capacity of servers whose trials are front-bound" in cannot
    assert "Any capacity from transient trials" in cannot


def test_every_verdict_has_its_words():
    assert set(VERDICTS) == set(get_args(Kind))


def test_too_few_trials_claim_nothing(tmp_path):
    seen = view_of(make_run(tmp_path / "run", {"repeat": 1}, measured=steady(100.0, spmt=2.0)))
    assert "In 2 of 2 conditions the trials are too few to tell a difference from chance" in conclusions.can(seen)[0]
    assert any("How sure any difference is: 1 trial per combination" in line for line in conclusions.cannot(seen))


def test_equal_models_are_not_called_different(tmp_path):
    seen = view_of(make_run(tmp_path / "run", measured=steady(100.0)))
    assert conclusions.can(seen)[0].startswith("In 2 of 2 conditions no difference in requests served is shown")


def test_only_invalid_trials_are_no_finding(tmp_path):
    seen = view_of(make_results(tmp_path / "run", verdict="invalid", status="failed"))
    assert conclusions.can(seen)[0] == "In 2 of 2 conditions nothing: no trial is valid."
    assert "Anything about a model: every trial is invalid, for the reasons below." in conclusions.cannot(seen)
    assert "choose" not in text(words.lead(seen))


def test_a_sweep_that_was_cut_off_says_what_was_planned(tmp_path):
    seen = view_of(make_run(tmp_path / "run", measured=lambda cell, block: {} if block == 1 else None))
    assert "4 trials" in text(words.lead(seen))
    assert "12 were planned" in text(words.lead(seen))


def test_the_canary_tells_the_drift_of_the_machine(tmp_path):
    seen = view_of(make_run(tmp_path / "run", {"order": {"canary": True}}, measured=steady(100.0)))
    (line,) = conclusions.drift(seen)
    assert line.startswith("Drift: the same trial (canary) opened each of 3 blocks and served 99 to 101 requests/s")


def test_one_model_alone_is_nothing_to_choose_from(tmp_path):
    seen = view_of(make_run(tmp_path / "run", {"models": ["spst"]}))
    assert conclusions.can(seen)[0] == "In 2 of 2 conditions only one model was measured: there is nothing to choose."


def test_runs_by_hand_are_not_called_alike(tmp_path):
    seen = view_of(make_run(tmp_path / "run", {"limits": {"cpus": 0.5}}, manifest={"by_hand": True}))
    told = text(words.lead(seen))
    assert "each run with the settings that were chosen in the page" in told
    assert "a trial is one run from the page" in told
    assert "fresh" not in told and "0.5 CPU, enforced by a quota" in told


def test_a_speed_that_moved_within_the_calibration_is_said(tmp_path):
    calibration = {"spin_units_per_ms": 1.0, "samples": [1000.0] * 10 + [1500.0] * 10}
    seen = view_of(make_run(tmp_path / "run", manifest={"calibration": calibration}))
    assert any("by a factor of 1.50 within the calibration" in line for line in conclusions.drift(seen))


def test_what_a_record_says_is_text_and_never_markup(tmp_path):
    seen = view_of(make_results(tmp_path / "run", verdict="client-bound"))
    told = str(words.lead(seen))
    assert HOSTILE not in told and "&lt;/script&gt;" in told


def test_a_search_is_described_as_one_and_its_steps_are_no_warnings(search):
    told = text(words.lead(search))
    assert "A search for the highest rate of requests that each model sustains" in told
    assert "are steps of the searches" in told
    assert "no interval from" not in told
    assert "some models sustain a lower rate than the first" in told


def test_a_rate_that_changes_is_told_with_its_mean() -> None:
    row = {"mode": "open", "rate_rps": 325.0, "profile": "100x20s,400x60s", "arrivals": "constant", "users": 64}
    assert work.load(row) == (
        "Open loop: the rate follows 100x20s,400x60s, 325 requests/s in the mean; requests come at even intervals."
    )
    assert "325 requests/s come at even intervals" in work.load(row | {"profile": None})


def test_what_is_spoken_is_told_where_it_is_not_lines() -> None:
    row = {"sleep_us": 0, "spin_us": 0, "hash_us": 0, "payload_bytes": 64, "connection": "persistent"}
    lines = work.asked(row)
    assert work.asked(row | {"protocol": "line", "cache_control": "none"}) == lines
    assert "HTTP" not in lines
    told = work.asked(row | {"protocol": "http", "cache_control": "none"})
    assert "The server sends the body back at once" in told
    assert "Load and server speak HTTP/1.1: a request is a POST, and its reply has the same body." in told
    assert "Cache-Control" not in told
    cached = work.asked(row | {"protocol": "http", "cache_control": "max-age=2"})
    assert "Replies to GET and HEAD say Cache-Control: max-age=2." in cached
