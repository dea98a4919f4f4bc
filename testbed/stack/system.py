"""What a run and its trials consist of: load generator, measured services, and a probe beside each of those. Pure."""

from collections.abc import Sequence

from testbed.plan import scaling
from testbed.plan.trials import Trial
from testbed.stack.load_services import load_services
from testbed.stack.naming import LOAD_STORE, PROBE_PREFIX, RESULTS
from testbed.stack.run import Run, all_networks, trial_labels
from testbed.stack.services import TRIAL_LABEL, Limits, Mount, Service, Stack


def probe(run: Run, trial: Trial, box: Service, output: str) -> Service:
    """The probe beside a measured service: it sees its processes, and has no network and no privileges. What it writes
    is called `output`."""
    # Of several that listen in one network namespace each probe looks at its own.
    port = ("--port", box.environment["PORT"]) if "PORT" in box.environment else ()
    live = ("--live",) if trial.cell.scaling != scaling.NONE else ()
    return Service(
        name=f"{PROBE_PREFIX}{box.name}",
        role="probe",
        image=run.image("probe"),
        user=run.user,
        command=("--output", RESULTS, "--name", output, *port, *live),
        limits=Limits(processors=run.cpu_sets.rest),
        network=None,
        sees_processes_of=box.name,
        mounts=(Mount(LOAD_STORE, RESULTS),),
        labels=trial_labels(run, trial),
        joins_later=box.joins_later,
    )


def load_stack(run: Run, models: Sequence[str]) -> Stack:
    """The load generator of a run, without a server."""
    return _stack(run, load_services(run, models))


def stack_of(run: Run, models: Sequence[str], trial: Trial, boxes: Sequence[Service]) -> Stack:
    """The load generator, these services of a trial, and a probe beside each."""
    outputs = output_names(trial, boxes)
    probes = [probe(run, trial, box, outputs[box.name]) for box in boxes]
    return _stack(run, (*load_services(run, models), *boxes, *probes))


def _stack(run: Run, services: tuple[Service, ...]) -> Stack:
    return Stack(run.project, services, all_networks(run))


def is_alone(trial: Trial, boxes: Sequence[Service]) -> bool:
    """Whether nothing but one server is measured, under the name of its model."""
    return trial.cell.is_single and len(boxes) == 1


def output_names(trial: Trial, boxes: Sequence[Service]) -> dict[str, str]:
    """What the files of each box's probe are called, before `.probe.json` and so on, by the box's name: after the
    trial alone where nothing else is measured."""
    alone = is_alone(trial, boxes)
    return {box.name: trial.trial_id if alone else f"{trial.trial_id}.{box.name}" for box in boxes}


def of_trial(stack: Stack) -> tuple[Service, ...]:
    """The services that are made for one trial and go with it."""
    return tuple(service for service in stack.services if TRIAL_LABEL in service.labels)


def measured(stack: Stack) -> tuple[Service, ...]:
    """The services that a probe looks into, in the order in which they start."""
    seen = {one.sees_processes_of for one in stack.of_role("probe")}
    return tuple(service for service in stack.services if service.name in seen)
