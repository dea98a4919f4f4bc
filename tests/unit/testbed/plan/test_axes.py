"""An axis is its entry in the table and a field of a cell; everything else follows from the two, by name."""

import itertools
import json
import shutil
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
import yaml
from hypothesis import given, settings

from loadtests.fields import FIELDS
from testbed.errors import UserError
from testbed.parts import trial as parts
from testbed.plan import cells, keys
from testbed.plan.axes import AXES, BY_FIELD
from testbed.plan.calibration import work
from testbed.plan.cell import Cell
from testbed.plan.fields import CACHES, GATEWAYS, PROXIES
from testbed.plan.pools import has_threads, has_workers
from testbed.plan.sweepfile import parse
from testbed.plan.trials import Trial
from testbed.results.columns import COLUMNS, EARLIER, TEXT_COLUMNS
from testbed.stack import locust_api
from tests.unit.testbed.accepted import RUN
from tests.unit.testbed.plan.test_accepted import CALIBRATION, DOCUMENTS, MACHINE, PATH, PROFILE

PROJECT = Path(__file__).parents[4]
TABLE, CELL = Path("testbed/plan/axes/load.py"), Path("testbed/plan/cell.py")
ENTRY = """    Axis(
        "load.grace",
        "grace_us",
        WorkUs,
        (1_000_000,),
        "time for what is in flight",
        earlier=1_000_000,
        heading="grace",
        title="time for what is in flight",
        form=Form("stop_grace_s", lambda us: us / 1e6, lambda s: round(s * 1e6)),
    ),
"""
FIELD = "    grace_us: int\n"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code, with an axis more in its table."""
    copy = tmp_path_factory.mktemp("tree")
    for name in ("testbed", "servers", "loadtests", "tests/unit/testbed"):
        # With what is compiled, less what another process is just writing.
        shutil.copytree(PROJECT / name, copy / name, ignore=shutil.ignore_patterns("*.pyc.*", "golden"))
    for name in ("tests", "tests/unit"):
        shutil.copy(PROJECT / name / "__init__.py", copy / name)
    _insert(copy / TABLE, "from testbed.plan.fields import WorkUs\n", before="from testbed.plan.profile import")
    _insert(copy / TABLE, ENTRY, before='    Axis(\n        "load.precise",\n')
    return copy


def _insert(path: Path, text: str, before: str) -> None:
    source = path.read_text(encoding="utf-8")
    assert source.count(before) == 1
    path.write_text(source.replace(before, text + before), encoding="utf-8")


def _run(tree: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, *arguments], cwd=tree, capture_output=True, text=True, timeout=60)


def test_an_entry_and_a_field_bring_an_axis_everywhere(tree: Path) -> None:
    refused = _run(tree, "-c", "import testbed.plan.cell")
    assert refused.stderr.splitlines()[-1] == "TypeError: Cell and the table of axes differ in: grace_us"
    _insert(tree / CELL, FIELD, before="    precise: bool\n")
    done = _run(tree, "-m", "tests.unit.testbed.plan.new_axis")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["plan"] == [["spst", 0], ["spst", 20_000], ["spmt", 0], ["spmt", 20_000]]
    assert found["default"] == 1_000_000
    assert found["excluded"] == [["spst", 0], ["spmt", 0], ["spmt", 20_000]]
    resolved = yaml.safe_load(found["resolved"])
    assert resolved["load"]["grace"] == ["0us", "20000us"]
    assert resolved["exclude"] == [{"grace": ["20000us"]}]
    assert found["read_again"]
    lines = [line for line in found["dry_run"].splitlines() if "spst" in line]
    assert sorted(line.partition(": ")[2] for line in lines) == ["grace_us 0", "grace_us 20000"]
    assert found["column"] == ["time for what is in flight", False, 1]
    assert " grace " in found["table"]
    assert [line.split()[2] for line in found["table"].splitlines() if "spst" in line] == ["0us", "20ms"]
    assert found["form"] == [found["form"][1] / 1e6, found["form"][1]]
    assert found["web_run"] == [250_000, 1_000_000]
    assert found["report"]["time for what is in flight"] == ["0 µs", "1 s"]
    assert found["report_words"]
    assert found["compared"] == ["spst, cpus 0.5, grace_us 0us", *found["compared"][1:]]
    assert len(found["compared"]) == 4
    assert set(found["compared_with_earlier"]) == {1_000_000}
    assert found["search_of_earlier"] == 1_000_000
    (key,) = found["key"]
    assert key[0] == "load.grace"
    assert key[1].startswith("a duration from 0 to 10s")
    assert key[2:] == ["1s", "time for what is in flight"]


# --- the plan ---


# Models that serve so many connections at once and no more.
ONE_BOUND = ("spst", "thread-pool", "prefork", "prefork-reuseport")


def _reference(document: dict[str, Any]) -> list[dict[str, Any]]:
    """The cells of a sweep file without `exclude`, crossed by nested names and by nothing of the table's."""
    sweep = parse(yaml.dump(document, Dumper=yaml.CSafeDumper), PATH, MACHINE)
    limits, pools, asked, load = sweep.limits, sweep.pools, sweep.workload, sweep.load
    values: dict[str, tuple[Any, ...]] = {
        "model": sweep.models,
        "cpus": limits.cpus,
        "memory_bytes": limits.memory,
        "limit": limits.limit,
        "workers": pools.workers or (0,),
        "threads": pools.threads,
        "switch_interval_us": pools.switch_interval,
        "counter": pools.counter,
        "sleep_us": asked.sleep,
        "spin_us": asked.spin,
        "hash_us": asked.hash,
        "payload_bytes": asked.payload,
        "connection": asked.connection,
        "protocol": asked.protocol,
        "method": asked.method,
        "cache_control": asked.cache_control,
        "think_us": asked.think,
        "keys": asked.keys,
        "zipf": asked.zipf,
        "reads": asked.reads,
        "scans": asked.scans,
        "value_bytes": asked.value,
        "users": load.users,
        "spinners": load.spinners,
        "idle_holders": load.idle_holders,
        "mode": (load.mode,),
        "rate_rps": load.rate or (None,),
        "profile": load.profile or ("none",),
        "arrivals": load.arrivals,
        "engine": load.engine,
        "precise": (load.precise,),
        "network": sweep.network,
        "replicas": sweep.replicas.count,
        "replica_cpus": sweep.replicas.cpus,
        "front": sweep.front.kind,
        "fronts": sweep.front.count,
        "front_cpus": sweep.front.cpus,
        "balance": sweep.front.balance,
        "queue": sweep.front.queue,
        "front_timeout_us": sweep.front.timeout,
        "retries": sweep.front.retries,
        "breaker": sweep.front.breaker,
        "eject": sweep.front.eject,
        "eject_for_us": sweep.front.eject_for,
        "sidecar": sweep.sidecar.kind,
        "sidecar_cpus": sweep.sidecar.cpus,
        "dns": load.dns or ("each",),
        "scaling": sweep.scaling,
        "behind": sweep.behind,
        "fault": sweep.fault,
        "rate_limit_rps": sweep.front.rate_limit,
        "auth": sweep.front.auth,
        "services": sweep.services,
        "share": (None,),
    }
    found: list[dict[str, Any]] = []
    for combination in itertools.product(*values.values()):
        cell = dict(zip(values, combination, strict=True))
        if cell["profile"] == PROFILE:
            # 10 s at 10 requests/s, and 20 until the window closes.
            cell["rate_rps"] = round(20 - 100 / (sweep.duration / 1e6), 6)
        elif cell["profile"] != "none":
            cell["rate_rps"] = 5.0
        if cell["replicas"] == 1:
            cell["replica_cpus"] = "split"
        if cell["behind"] == "none":
            cell |= {"reads": 1.0, "scans": 0.0, "value_bytes": 0}
        if cell["behind"] != "none" or (cell["method"] == "get" and cell["protocol"] == "http"):
            cell["spinners"] = 0
        if not (cell["sleep_us"] or cell["spin_us"] or cell["hash_us"]):
            cell["spinners"] = 0
        if cell["protocol"] == "line":
            cell |= {"cache_control": "none", "method": "post"}
        if cell["behind"] == "none" and cell["method"] == "post":
            cell |= {"keys": 0, "zipf": 0.0}
        if cell["front"] != "dns":
            cell["dns"] = "once"
        if cell["front"] != "envoy":
            cell |= {"front_timeout_us": 0, "retries": 0, "breaker": 0, "eject": 0}
        if not cell["eject"]:
            cell["eject_for_us"] = 0
        if cell["sidecar"] == "none":
            cell["sidecar_cpus"] = 0.0
        if cell["front"] not in CACHES:
            cell |= {"fronts": 1}
        elif cell["fronts"] > 1:
            cell["dns"] = "all"
        if cell["front"] in ("none", "dns"):
            cell |= {"front_cpus": 0.0, "balance": "none", "queue": "none"}
        if cell["front"] not in GATEWAYS:
            cell |= {"rate_limit_rps": 0.0, "auth": "none"}
        elif cell["front"] == "nginx" or cell["model"] not in ONE_BOUND:
            cell["queue"] = "server"
        if not has_threads(cell["model"]):
            cell["threads"] = 0
        if not has_workers(cell["model"]):
            cell["workers"] = 0
        elif not cell["workers"]:
            each = cell["cpus"] / (cell["replicas"] if cell["replica_cpus"] == "split" else 1)
            cell["workers"] = max(2, int(-(-each // 1)))
        if cell not in found:
            found.append(cell)
    return found


@settings(max_examples=150, deadline=None)
@given(document=DOCUMENTS)
def test_the_cells_of_a_sweep_are_the_product_of_its_values_by_name(document: dict[str, Any]) -> None:
    try:
        sweep = parse(yaml.dump(document, Dumper=yaml.CSafeDumper), PATH, MACHINE)
    except UserError:
        return
    expected = _reference(document)
    assert [vars(cell) for cell in cells.cells(sweep)] == expected
    # A rule of all that one cell has takes out the cells that have it, and no other.
    unsaid = [] if expected[0]["front"] in PROXIES else ["front_cpus", "balance", "queue"]
    unsaid += ["keys", "zipf", "reads", "scans", "value_bytes"] if expected[0]["behind"] == "none" else []
    unsaid = [name for name in unsaid if name not in ("keys", "zipf") or expected[0]["method"] == "post"]
    unsaid += ["cache_control"] if expected[0]["cache_control"] == "none" else []
    unsaid += [] if expected[0]["eject"] else ["eject_for_us"]
    unsaid += ["sidecar_cpus"] if expected[0]["sidecar"] == "none" else []
    unsaid += ["profile"] if expected[0]["profile"] == "none" else []
    first = {axis: expected[0][axis.field] for axis in AXES if axis.in_exclude and axis.field not in unsaid}
    named = {axis: value for axis, value in first.items() if value or (value == 0 and not axis.of_model)}
    rule = {axis.in_exclude: axis.as_written(value) for axis, value in named.items()}
    without = parse(yaml.dump({**document, "exclude": [rule]}, Dumper=yaml.CSafeDumper), PATH, MACHINE)
    kept = [cell for cell in expected if any(cell[axis.field] != value for axis, value in named.items())]
    assert [vars(cell) for cell in cells.cells(without)] == kept
    assert expected[0] not in kept


# --- who takes an axis ---


OTHER = {
    "model": "mpmt",
    "cpus": 2.0,
    "memory_bytes": 2**28,
    "limit": "cpuset",
    "workers": 7,
    "threads": 7,
    "switch_interval_us": 1_000,
    "counter": "shared",
    "sleep_us": 5_000,
    "spin_us": 5_000,
    "hash_us": 5_000,
    "payload_bytes": 128,
    "connection": "20",
    "protocol": "http",
    "method": "get",
    "cache_control": "max-age=2",
    "think_us": 5_000,
    "keys": 7,
    "zipf": 1.1,
    "reads": 0.5,
    "scans": 0.1,
    "value_bytes": 7,
    "users": 4,
    "spinners": 1,
    "idle_holders": 9,
    "mode": "open",
    "rate_rps": 77.5,
    "profile": PROFILE,
    "arrivals": "poisson",
    "engine": "plain",
    "precise": True,
    "network": "shared",
    "replicas": 3,
    "replica_cpus": "each",
    "front": "dns",
    "fronts": 2,
    "front_cpus": 0.25,
    "rate_limit_rps": 50.0,
    "auth": "key",
    "services": '{"a":{"share":1.0},"b":{"share":1.0,"sleep":"1ms"}}',
    "balance": "leastconn",
    "queue": "front",
    "front_timeout_us": 500_000,
    "retries": 3,
    "breaker": 20,
    "eject": 5,
    "eject_for_us": 1_000_000,
    "sidecar": "envoy",
    "sidecar_cpus": 0.25,
    "dns": "all",
    "scaling": '{"change":"replicas","steps":[{"at":"1s","to":2}]}',
    "behind": '{"valkey":{"masters":3}}',
    "fault": '{"is":"crashed","replica":1,"at":"1s","how":"exit"}',
}
USUAL = {axis.field: axis.usual for axis in AXES if axis.crossed}
# Where an axis means something only beside another.
BESIDE = (
    {"replica_cpus": {"replicas": 2, "front": "dns"}}
    | {field: {"front": "haproxy", "model": "thread-pool"} for field in ("front_cpus", "balance", "queue", "scaling")}
    | {field: {"behind": '{"postgres":{}}'} for field in ("keys", "zipf", "reads", "scans", "value_bytes")}
    | {field: {"front": "envoy", "eject": 1} for field in ("front_timeout_us", "retries", "breaker", "eject_for_us")}
    | {"fronts": {"front": "varnish", "protocol": "http"}}
    | {"eject": {"front": "envoy"}, "sidecar_cpus": {"sidecar": "envoy"}}
    | {"spinners": {"spin_us": 5_000}}
    | {"cache_control": {"protocol": "http"}, "method": {"protocol": "http"}}
    | {field: {"front": "envoy", "protocol": "http"} for field in ("rate_limit_rps", "auth", "services")}
)


def _asked_of(cell: Cell) -> tuple[Any, Any]:
    """What load and stack are asked for."""
    trial = Trial("a", 1, cell)
    form = locust_api.form(trial, work(cell, CALIBRATION), 1.0, 2.0)
    del form["reply_timeout_s"]
    return form, parts.boxes(RUN, trial)


@pytest.mark.parametrize("field", USUAL)
def test_every_axis_of_a_cell_arrives_at_the_load_or_at_the_stack(field: str) -> None:
    assert USUAL[field] != OTHER[field]
    usual = USUAL | BESIDE.get(field, {})
    assert _asked_of(Cell(**usual)) != _asked_of(Cell(**usual | {field: OTHER[field]}))


def test_the_load_generator_has_the_fields_and_choices_of_the_axes() -> None:
    """It runs in its own image and cannot read the table."""
    there = {field.name: field for field in FIELDS}
    for axis in AXES:
        if axis.form is None:
            continue
        field = there[axis.form.name]
        assert field.parse(axis.form.sent(axis.usual)) == field.default, axis.key
        if axis.form.told is not None and axis.form.told is not axis.form.sent:
            assert axis.form.told(field.parse(axis.form.sent(OTHER[axis.field]))) == OTHER[axis.field], axis.key
        if get_origin(axis.kind) is Literal and axis.field not in ("mode", "auth"):
            assert sorted(field.choices) == sorted(get_args(axis.kind)), axis.key
    taken = {axis.form.name for axis in AXES if axis.form}
    # What the sweep or the calibration makes, and what no sweep asks for.
    made = {"spin_us", "hash_us", "spin_units", "hash_rounds", "warmup_s", "window_s", "reply_timeout_s", "trial_id"}
    made |= {"services"}
    assert there.keys() - taken - made == {"stop_grace_s", "seed"}


# --- columns and keys ---


def test_every_axis_is_a_column_with_its_meaning_in_one_place_of_the_table() -> None:
    names = list(COLUMNS)
    first = names.index("model")
    assert names[first : first + len(AXES)] == [axis.field for axis in AXES] == [field.name for field in fields(Cell)]
    assert {"search_id", "trial_id", "verdict", "reasons"} | {"model", "limit", "network"} <= TEXT_COLUMNS
    assert not {"cpus", "workers", "rate_rps", "precise", "share"} & TEXT_COLUMNS
    assert EARLIER == {
        "switch_interval_us": 0,
        "counter": "own",
        "protocol": "line",
        "method": "post",
        "cache_control": "none",
        "keys": 0,
        "zipf": 0.0,
        "reads": 1.0,
        "scans": 0.0,
        "value_bytes": 0,
        "spinners": 0,
        "engine": "plain",
        "profile": "none",
        "precise": False,
        "network": "bridge",
        "replicas": 1,
        "replica_cpus": "split",
        "front": "none",
        "fronts": 1,
        "front_cpus": 0.0,
        "balance": "none",
        "queue": "none",
        "front_timeout_us": 0,
        "retries": 0,
        "breaker": 0,
        "eject": 0,
        "eject_for_us": 0,
        "sidecar": "none",
        "sidecar_cpus": 0.0,
        "rate_limit_rps": 0.0,
        "auth": "none",
        "dns": "once",
        "scaling": "none",
        "behind": "none",
        "fault": "none",
        "services": "none",
    }


def test_every_key_of_a_sweep_file_is_described() -> None:
    rows = {row.key: row for row in keys.rows()}
    assert len(rows) == len(keys.rows())
    assert {axis.key for axis in AXES} <= rows.keys()
    assert {"name", "warmup", "duration", "repeat", "isolate", "images", "exclude", "load.workers"} <= rows.keys()
    assert {"load.slo.p99", "load.worker_cpus", "order.seed", "order.redo", "order.canary"} <= rows.keys()
    for row in rows.values():
        assert row.allowed, row
        assert row.default or row.key == "name", row
        assert row.meaning, row
    assert rows["duration"].default == "10s"
    assert rows["limits.memory"].default == "128MiB"
    assert rows["load.users"].default == "8; 64 in the other modes"
    assert rows["isolate"].allowed == "`true`, `false`"
    assert rows["limits.limit"].allowed == "`quota`, `cpuset`, `both`"
    assert rows["load.slo.p99"].default == "needed in a search"
    assert all(f"`{axis.in_exclude}`" in rows["exclude"].allowed for axis in AXES if axis.in_exclude)
    assert {row.key for row in rows.values() if row.several} == {axis.key for axis in AXES if axis.several}


@pytest.mark.parametrize("axis", [axis for axis in AXES if axis.crossed and axis.default], ids=lambda axis: axis.key)
def test_a_default_in_words_is_what_the_default_is(axis: Any) -> None:
    """Said in words of its own where the value does not tell it; otherwise the sweep file reads the same again."""
    said = next(row.default for row in keys.rows() if row.key == axis.key)
    if axis.default_words:
        return
    document: dict[str, Any] = {"name": "a"}
    (document.setdefault(axis.section, {}) if axis.section else document)[axis.name] = yaml.safe_load(said)
    sweep = parse(yaml.dump(document, Dumper=yaml.CSafeDumper), PATH, MACHINE)
    assert axis.asked(sweep)[0] == axis.usual


def test_every_value_is_shown_in_words_everywhere() -> None:
    for field, axis in BY_FIELD.items():
        assert axis.shown(None) == "-"
        if field in OTHER:
            assert axis.shown(OTHER[field])
