"""What a trial asks of load generator and server, held against what these themselves accept. No Docker."""

from collections.abc import Iterator

from loadtests import combinations, fields
from loadtests.field import OptionError
from loadtests.fields import MOST_USERS
from loadtests.options import Options
from loadtests.wire.lines import Lines
from loadtests.worker.payload import words
from servers import protocol
from servers.config import read_config
from testbed.plan.calibration import work
from testbed.plan.schema import Sweep
from testbed.plan.steps import program
from testbed.plan.trials import Trial, trials
from testbed.stack import locust_api, server_services, system
from testbed.stack.naming import MASTER
from testbed.stack.run import Run

RUN = Run("a-1-b", "threadmill-a", "1:1", workers=1)


def every_trial(sweep: Sweep) -> Iterator[Trial]:
    """All trials, those of a search as it takes them when every rate holds, and when none does."""
    for entry in trials(sweep):
        for holds in (True, False):
            steps = program(entry, sweep)
            trial = next(steps)
            while True:
                yield trial
                p99 = 1 if holds else 10**9
                row = {"verdict": "not-saturated", "failed": 0, "achieved_over_offered": 1.0, "latency_p99_us": p99}
                try:
                    trial = steps.send(row | {"latency_max_us": p99, "status": "ok", "reasons": ""})
                except StopIteration:
                    break
            if not sweep.load.slo:
                break


def refusal(trial: Trial, sweep: Sweep, calibration: dict[str, float] | None) -> str:
    """Why load generator or server would not do this trial; empty when both do."""
    run = Run(RUN.run_id, RUN.project, RUN.user, sweep.load.workers, shared="shared" in sweep.network)
    asked = locust_api.form(trial, work(trial.cell, calibration), sweep.warmup / 1e6, sweep.duration / 1e6)
    # As text, since that is how a form travels.
    form = {name: str(value) for name, value in asked.items()}
    if not 1 <= int(form.pop("user_count")) <= MOST_USERS or not 0.001 <= float(form.pop("spawn_rate")) <= MOST_USERS:
        return "users"
    known = {field.name for field in fields.with_target([], "")}
    if unknown := form.keys() - known:
        return f"no fields of the form: {unknown}"
    try:
        wanted = fields.parse(form, _targets(run, trial))
    except OptionError as error:
        return str(error)
    if few := combinations.too_few_users(wanted, trial.cell.users, sweep.load.workers):
        return few
    config = read_config(server_services.servers(run, trial)[0].environment, cpus=trial.cell.cpus)
    return _line_refusal(wanted, config.max_line)


def _targets(run: Run, trial: Trial) -> list[str]:
    """The names under which the load generator of this run knows its servers."""
    environment = system.load_stack(run, [trial.cell.model]).service(MASTER).environment
    over_loopback = environment.get("TARGET_ADDRESSES", "").split(",")
    return [*environment["TARGETS"].split(","), *(item.partition("=")[0] for item in over_loopback if item)]


def _line_refusal(wanted: Options, max_line: int) -> str:
    """Whether the server takes the longest request line."""
    head = words(wanted.sleep_us, wanted.spin_units, wanted.hash_rounds)
    line = Lines.request(b"x" * wanted.payload_bytes, head).removesuffix(b"\n")
    if len(line) > max_line:
        return f"a line of {len(line)} bytes, the server takes {max_line}"
    try:
        work = protocol.parse(line + b"\n") if head else protocol.Work()
    except protocol.DirectiveError as error:
        return str(error)
    assert (work.sleep_us, work.spin_units) == (wanted.sleep_us, wanted.spin_units)
    return ""
