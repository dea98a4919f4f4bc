"""Which model the report says to choose, and how sure it says that is."""

from pathlib import Path

from testbed.report import choice, ranking
from testbed.report.ranking import CAPACITY, CPU, LATENCY, THROUGHPUT, rank
from testbed.report.view import View
from tests.made_results import make_results
from tests.unit.testbed.made_runs import make_run
from tests.unit.testbed.report.pages import advice, text, view_of

RATES = {"spst": 100.0, "spmt": 200.0}


def two(path: Path, repeat: int = 5, **by_model: dict) -> View:
    """`spst` at 100/s and `spmt` at 200/s, with 1 % of spread, and what else the models' records say."""

    def measured(cell, block):
        wobble = 1 + 0.01 * (block % 3)
        values = {"throughput_rps": RATES[cell.model] * wobble, "latency_p99_us": 20_000 / wobble}
        return {**values, **by_model.get(cell.model, {})}

    return view_of(make_run(path / "run", {"limits": {"cpus": 0.5}, "repeat": repeat}, measured=measured))


def test_a_clear_difference_names_one_model_with_its_confidence_and_its_trials(tmp_path):
    told = advice(two(tmp_path, spst={"latency_p99_us": 90_000}))
    assert told == (
        "choose spmt: the most requests and the shortest p99 latency; spst is shown to fall short in one or both "
        "(95 % confidence in each comparison, 5 trials of each model)"
    )


def test_one_trial_of_each_is_called_a_hint_however_large_the_difference(tmp_path):
    told = advice(two(tmp_path, repeat=1, spst={"latency_p99_us": 900_000}))
    assert told == "choose spmt; a hint only, from 1 trial each: chance may have made the order"


def test_stale_reads_are_told_by_their_share_of_those_that_could_be_found_so(tmp_path):
    def told(**by_model: dict) -> list[str]:
        seen = two(tmp_path / str(len(by_model)), **by_model)
        return [one for one in choice._notes(seen, {}, choice.rankings(seen, {})) if "Stale" in one]

    counted = {"spmt": {"stale": 3, "reads_checked": 60}, "spst": {"stale": 0, "reads_checked": 60}}
    assert told(**counted) == ["Stale reads, of those that could be found so: spmt 5 %."]
    assert told() == []


def test_equal_models_share_the_first_place(tmp_path):
    same = {"throughput_rps": 150.0}
    seen = two(tmp_path, spst=same, spmt=same)
    found = choice.rankings(seen, {})[THROUGHPUT.column]
    assert [place.group.series for place in found.first] == ["spst", "spmt"]
    assert not found.behind
    assert "spst or spmt: no other is shown to serve more requests" in advice(seen)


def test_the_one_with_more_requests_and_the_one_with_shorter_waits_are_both_named(tmp_path):
    told = advice(two(tmp_path, spmt={"latency_p99_us": 90_000}))
    assert told.startswith(
        "choose spmt for the most requests, spst for the shortest p99 latency; none is first in both"
    )
    assert "95 % confidence in each comparison, 5 trials" in told


def test_a_model_that_left_users_without_any_reply_is_not_ranked_by_what_the_others_got(tmp_path):
    seen = two(tmp_path, spmt={"users_starved": 3})
    found = choice.rankings(seen, {})[THROUGHPUT.column]
    assert found.leader.group.series == "spst"
    assert found.places[-1].set_aside == "left 3 of 8 users without any reply"
    assert "not ranked: spmt" in text(choice.section(seen))


def test_a_client_bound_model_is_not_called_slower_than_one_that_was_measured(tmp_path):
    seen = two(tmp_path, spst={"verdict": "client-bound"})
    found = choice.rankings(seen, {})[THROUGHPUT.column]
    (behind,) = [place for place in found.places if place.group.series == "spst"]
    assert behind.set_aside == "measured the load generator and may be capable of more"
    assert not found.behind
    assert "Client-bound: spst: the load generator was at its limit" in text(choice.section(seen))


def test_what_stood_before_servers_or_changed_is_noted_of_a_model(tmp_path):
    seen = two(tmp_path, spst={"verdict": "front-bound"}, spmt={"verdict": "transient"})
    told = text(choice.section(seen))
    assert "Front-bound: spst: what stands before the servers was full" in told
    assert "Transient: spmt: means over a change of load, limits or replicas" in told


def test_invalid_trials_give_no_number_and_no_advice(tmp_path):
    seen = view_of(make_results(tmp_path / "run", verdict="invalid", status="failed"))
    assert advice(seen, cpus=0.5) == "nothing can be said, no trial is valid"
    assert ranking.how_sure(list(choice.rankings(seen, {"cpus": 0.5}).values())) == "no trial is valid"


def test_a_single_model_is_the_only_one_measured(tmp_path):
    seen = view_of(make_run(tmp_path / "run", {"models": ["spst"], "limits": {"cpus": 0.5}}))
    assert advice(seen) == "only spst was measured"


def test_unpaired_trials_are_never_ranked_with_confidence(seen):
    found = rank(seen.under({"cpus": 0.5}), THROUGHPUT, paired=False)
    assert not found.certain
    assert [place.first for place in found.places] == [True] + [False] * 4


def test_less_is_better_where_it_is(seen):
    groups = seen.under({"cpus": 0.5})
    assert rank(groups, LATENCY).leader.group.series == rank(groups, CPU).leader.group.series == "prefork"
    assert [place.estimate for place in rank(groups, CPU).places] == sorted(g.median(CPU.column) for g in groups)


def test_every_condition_has_a_card_that_says_how_sure_it_is(seen):
    told = text(choice.section(seen))
    for limit in ("0.5", "1"):
        assert f"At {limit} CPU: choose prefork" in told
    assert told.count("How sure: 3 trials of each model: ") == 2
    assert told.count("95 % confidence in each comparison") == 2


def test_the_rates_that_a_search_found_are_what_its_models_are_ranked_by(search):
    found = choice.rankings(search, {"cpus": 1.0, "share": 1.0})[CAPACITY.column]
    ranked = {place.group.series: place.estimate for place in found.places}
    assert 1_700 < ranked["prefork"] < 2_040
    assert 1_000 < ranked["mpst"] < 1_230
    assert "prefork" in [place.group.series for place in found.first]
    assert "mpst" in [place.group.series for place in found.behind]
    told = advice(search, cpus=1.0, share=1.0)
    assert told.startswith("choose ") and "for the highest rate (95 % confidence in each comparison, 5 trials" in told


def test_a_search_that_found_no_rate_is_said_and_not_left_out(search):
    assert "not ranked: spst 0/s, which held the objective at no rate" in text(choice.section(search))


def test_many_conditions_are_a_table_of_models_by_condition_and_cpu_limit(tmp_path):
    sweep = {"models": ["spst", "prefork"], "limits": {"cpus": [0.5, 1.0]}, "load": {"users": [1, 8]}, "repeat": 3}
    told = text(str(choice.overview(view_of(make_results(tmp_path / "run", sweep)))).replace("<t", " <t"))
    assert " ".join(told.split()) == "condition 0.5 CPU 1 CPU 1 user prefork prefork 8 users prefork prefork"
