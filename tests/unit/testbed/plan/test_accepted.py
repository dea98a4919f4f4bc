"""What the sweep file accepts, a trial can do: load generator and server refuse none of it. Generated."""

from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from hypothesis import event, given, settings
from hypothesis import strategies as st

from loadtests import fields
from servers.models import SERVERS
from servers.protocol import MAX_SPIN_UNITS
from testbed.errors import UserError
from testbed.plan.calibration import check_work
from testbed.plan.cell import Cell
from testbed.plan.fields import Front
from testbed.plan.sweepfile import Machine, Sweep, dump, parse
from testbed.plan.trials import trials
from testbed.stack import locust_api
from tests.unit.testbed.accepted import every_trial, refusal

MACHINE = Machine(cpus=4, memory_bytes=8 * 2**30)
PATH = Path("some.yaml")
CALIBRATION = {"spin_units_per_ms": 1_700.0, "hash_rounds_per_ms": 4_000.0}


def axis(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """One value, or a list of up to two."""
    return st.one_of(values, st.lists(values, min_size=1, max_size=2))


def section(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Every key may be absent."""
    return st.fixed_dictionaries({}, optional=keys)


work = st.sampled_from([0, "1us", "500us", "5ms", "9s", "10s"])
pool = st.sampled_from([1, 2, 1024])
rates = axis(st.sampled_from([0.1, 1, 100, 1_000_000]))
slos = st.sampled_from([{"p99": "1us"}, {"p99": "50ms"}])
PROFILE = "10x10s,20x100ms"
shares = axis(st.sampled_from([0.01, 0.07, 1 / 3, 0.33333333, 2.0]))
ANY_MODE = {
    "users": axis(st.sampled_from([1, 2, 3, 64, 10_000])),
    "workers": st.sampled_from([1, 2, 64]),
    "worker_cpus": st.sampled_from([0.05, 1.0]),
    "idle_holders": axis(st.sampled_from([0, 1, 10_000])),
    "engine": axis(st.sampled_from(["fast", "plain"])),
    "dns": axis(st.sampled_from(["once", "each", "all"])),
}
OBJECTIVE = {"objective": slos}
OPEN = {"arrivals": axis(st.sampled_from(["constant", "poisson"])), "precise": st.booleans()}


def mode(name: str, needs: dict[str, Any], may: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"mode": st.just(name), **needs}, optional=ANY_MODE | may)


LOADS = st.one_of(
    mode("closed", {}, {"spinners": axis(st.sampled_from([0, 1, 2]))}),
    mode("open", {"rate": rates}, OPEN | OBJECTIVE),
    mode(
        "open",
        {
            "profile": st.sampled_from(
                [
                    PROFILE,
                    [{"rate": 10, "for": "10s"}, {"rate": 20, "for": "100ms"}],
                    [PROFILE, [{"rate": 5, "for": "1s"}]],
                ]
            )
        },
        OPEN,
    ),
    mode("capacity", {"slo": slos}, OPEN),
    mode("relative", {"slo": slos, "at": shares}, OPEN),
    # What hardly ever fits together: it has to be refused whole.
    section(mode=st.sampled_from(["closed", "open", "capacity", "relative"]), rate=rates, slo=slos, at=shares, **OPEN),
)
DOCUMENTS = st.fixed_dictionaries(
    {
        "name": st.from_regex(r"[a-z0-9][a-z0-9-]{0,40}", fullmatch=True),
        "models": axis(st.sampled_from(SERVERS)),
        "load": LOADS,
    },
    optional={
        "limits": section(
            cpus=axis(st.sampled_from([0.05, 0.3, 1, 2.5, 4])),
            memory=st.sampled_from(["16MiB", "8GiB"]),
            limit=axis(st.sampled_from(["quota", "cpuset", "both"])),
        ),
        "pools": section(
            workers=axis(pool),
            threads=axis(pool),
            switch_interval=axis(st.sampled_from([0, "1us", "10s"])),
            counter=axis(st.sampled_from(["own", "shared"])),
        ),
        "workload": section(
            sleep=work,
            spin=axis(work),
            hash=work,
            payload=axis(st.sampled_from(["1B", "64B", "64KiB"])),
            connection=axis(st.sampled_from(["persistent", "per-request", {"requests": 1}, {"requests": 1_000_000}])),
            protocol=axis(st.sampled_from(["line", "http"])),
            cache_control=axis(st.sampled_from(["none", "none", "max-age=2"])),
            method=axis(st.sampled_from(["post", "post", "get"])),
            zipf=axis(st.sampled_from([0, 1.1])),
            think=axis(st.sampled_from([0, 0, 0, 0, "1us", "60s"])),
        ),
        "network": axis(st.sampled_from(["bridge", "shared"])),
        "replicas": section(count=axis(st.sampled_from([1, 1, 2, 16])), cpus=axis(st.sampled_from(["split", "each"]))),
        "front": st.one_of(
            axis(st.sampled_from(get_args(Front))),
            section(
                kind=axis(
                    st.sampled_from(
                        ["none", "dns", "haproxy", "nginx", "nginx-cache", "varnish", "haproxy-http", "envoy"]
                    )
                ),
                cpus=axis(st.sampled_from([0.05, 0.25])),
                balance=axis(st.sampled_from(["roundrobin", "leastconn", "source"])),
                queue=axis(st.sampled_from(["server", "front"])),
                timeout=axis(st.sampled_from(["none", "500ms"])),
                retries=axis(st.sampled_from([0, 5])),
                eject=axis(st.sampled_from(["none", 3])),
            ),
        ),
        "sidecar": axis(st.sampled_from(["none", "none", "envoy"])),
        "fault": axis(
            st.sampled_from(
                [
                    *["none"] * 5,
                    {"is": "stopped", "at": 0, "for": "1s"},
                    {"is": ["failing", "slow"], "replica": 2, "at": "500ms", "share": 0.5},
                    {"is": "crashed", "at": "100ms", "how": ["segv", "raise"], "every": "1s"},
                ]
            )
        ),
        "scaling": axis(
            st.sampled_from(
                [
                    *["none"] * 5,
                    {"change": "cpus", "steps": [{"at": 0, "to": 1.0}, {"at": "59m", "to": 0.05}]},
                    {"change": "memory", "steps": [{"at": "1500ms", "to": "9GiB"}]},
                    {"change": "replicas", "on": "latency", "target": "20ms", "max": 2, "every": "500ms"},
                ]
            )
        ),
        "warmup": st.sampled_from(["1s", "10m"]),
        "duration": st.sampled_from(["1s", "60m"]),
        "repeat": st.sampled_from([1, 2]),
        "order": section(shuffle=st.booleans(), canary=st.booleans(), seed=st.sampled_from([0, 2**32 - 1])),
    },
)


@settings(max_examples=500, deadline=None)
@given(document=DOCUMENTS)
def test_what_the_sweep_file_accepts_load_generator_and_server_do(document: dict[str, Any]) -> None:
    try:
        sweep = parse(yaml.dump(document, Dumper=yaml.CSafeDumper), PATH, MACHINE)
    except UserError as refused:
        event("refused")
        for line in str(refused).splitlines():
            assert line.startswith("some.yaml:")
            assert ", allowed: " in line
        return
    event(f"mode {sweep.load.mode}")
    for trial in every_trial(sweep):
        assert refusal(trial, sweep, CALIBRATION) == "", trial
    ids = [trial.trial_id for trial in trials(sweep)]
    assert len(set(ids)) == len(ids)
    assert parse(dump(sweep), PATH, MACHINE) == sweep


@given(shares=st.lists(st.floats(0.01, 2.0), min_size=1, max_size=4))
def test_every_share_of_a_search_has_a_name_of_its_own(shares: list[float]) -> None:
    document = {"name": "a", "models": "spst", "load": {"mode": "relative", "slo": {"p99": "5ms"}, "at": shares}}
    try:
        sweep = parse(yaml.dump(document, Dumper=yaml.CSafeDumper), PATH, MACHINE)
    except UserError:
        return
    steps = [trial.trial_id for trial in every_trial(sweep) if "-at" in trial.trial_id]
    assert len(set(steps)) == len(steps) == len(shares)


def read(text: str) -> Sweep:
    return parse("name: a\n" + text, PATH, MACHINE)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "load: {mode: open, rate: 5}\nworkload:\n  think: 5ms\n",
            "some.yaml:4: workload.think: found '5ms', allowed: 0 with mode open: ",
        ),
        (
            "load: {mode: capacity, slo: {p99: 5ms}}\nworkload:\n  think:\n    - 0\n    - 5ms\n",
            "some.yaml:6: workload.think: found '5ms', allowed: 0 with mode capacity: ",
        ),
        (
            "load:\n  mode: open\n  rate: 5\n  workers: 4\n  users: [4, 3]\n",
            "some.yaml:6: load.users: found 3, allowed: at least 4 with mode open and 4 workers: ",
        ),
        (
            "load: {mode: relative, slo: {p99: 5ms}, at: [0.5, 0.50000000001]}\n",
            "some.yaml:2: load.at: found 0.50000000001, allowed: shares that differ: ",
        ),
        (
            "workload:\n  sleep: 1ms\n  think: [0, 60s]\n",
            "some.yaml:4: workload.think: found '60s', allowed: a request and its pause of at most the duration, ",
        ),
        (
            "duration: 1s\nload: {mode: open, rate: 5}\nworkload:\n  sleep: 600ms\n  spin: 500ms\n",
            "some.yaml:5: workload.sleep: found '600ms', allowed: a request and its pause of at most the duration, 1 s",
        ),
        (
            "duration: 2s\nload:\n  mode: open\n  rate: [0.5, 0.4]\n",
            "some.yaml:5: load.rate: found 0.4, allowed: at least 0.5 with a duration of 2 s",
        ),
    ],
)
def test_what_the_load_would_refuse_is_refused_in_one_line(text: str, message: str) -> None:
    with pytest.raises(UserError) as refused:
        read(text)
    (line,) = str(refused.value).splitlines()
    assert line.startswith(message)


def test_fewer_users_than_workers_are_a_load_where_nobody_shares_a_rate() -> None:
    sweep = read("load: {users: 1, workers: 4}\n")
    assert [refusal(trial, sweep, None) for trial in every_trial(sweep)] == [""] * len(trials(sweep))


def test_the_most_cpu_work_that_may_be_asked_for_is_within_what_servers_do() -> None:
    sweep = read("workload: {spin: 10s, hash: 10s}\nduration: 20s\n")
    check_work(sweep, CALIBRATION)
    assert [refusal(trial, sweep, CALIBRATION) for trial in every_trial(sweep)] == [""] * len(trials(sweep))


def test_more_work_than_servers_do_is_refused_after_calibration_and_before_any_trial() -> None:
    sweep = read("workload: {spin: [1ms, 10s]}\n")
    with pytest.raises(UserError) as refused:
        check_work(sweep, {"spin_units_per_ms": 20_000.0, "hash_rounds_per_ms": 1.0})
    assert str(refused.value) == (
        "workload.spin: found 10s, which is 200,000,000 units of work on this machine, "
        f"allowed: at most {MAX_SPIN_UNITS:,}, here 5s"
    )
    check_work(sweep, None)


def test_a_reply_that_is_asked_to_take_long_is_not_taken_for_silence() -> None:
    def timeout(text: str) -> float:
        cell: Cell = trials(read(text))[0].cell
        return locust_api.reply_timeout_s(cell)

    assert timeout("workload: {sleep: 5ms, spin: 500us}\n") == 10.0
    assert timeout("workload: {sleep: 10s}\n") == 20.0
    assert timeout("workload: {spin: 1s}\nload: {users: 8}\nlimits: {cpus: 0.5}\n") == 32.0
    most = timeout("workload: {spin: 10s}\nload: {users: 10000}\nlimits: {cpus: 0.05}\n")
    assert fields.parse({"target": "a", "reply_timeout_s": most}, ["a"]).reply_timeout_s == most
