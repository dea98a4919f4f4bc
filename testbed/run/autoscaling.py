"""`autoscale`: what was asked for on the command line, held against what runs, and carried out on it."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from pydantic_core import PydanticCustomError

from testbed.errors import EngineError, UserError
from testbed.parts import haproxy
from testbed.parts.asking import Address, PartError
from testbed.parts.haproxy import HAProxy
from testbed.plan.fields import PROXIES, Machine
from testbed.plan.fitting import FRONT_MEMORY_BYTES
from testbed.plan.pools import has_workers
from testbed.plan.scaling import Law
from testbed.plan.scaling_values import read
from testbed.run.autoscaler import Autoscaler
from testbed.run.leaving import take_out
from testbed.scaling import forecast
from testbed.stack import resizing
from testbed.stack.replicas_by_hand import ByHand, Counted, Front, Replica
from testbed.stack.scale_by_hand import MOST_REPLICAS
from testbed.units import format_bytes

# What Locust's clients see is Locust's; the rest is read of the containers.
READABLE = ("cpu", "memory", "queue")


def law_of(given: Mapping[str, Any], machine: Machine) -> Law:
    """The law, from keys and values as in a sweep file. UserError, one line, names the flag."""
    if given["on"] not in READABLE:
        raise UserError(f"--on: found {given['on']!r}, allowed: {', '.join(READABLE[:-1])} or {READABLE[-1]}")
    try:
        law = read({key: value for key, value in given.items() if value is not None}, machine)
    except PydanticCustomError as error:
        context = error.context or {}
        # Nowhere in it: what a forecast needs beside its name.
        key = next((str(part) for part in context.get("at", ())), "forecast")
        flag = f"--{key.replace('_', '-')}"
        raise UserError(f"{flag}: found {given.get(key)!r}, allowed: {context.get('allowed', error)}") from None
    assert isinstance(law, Law)
    if law.change == "replicas" and law.high > MOST_REPLICAS:
        raise UserError(f"--max: found {law.high:g}, allowed: a whole number from 1 to {MOST_REPLICAS}")
    return law


def check_room(law: Law, replicas: Sequence[Replica], front: Front | None, machine: Machine) -> None:
    """UserError where the most that there can be has no room on this machine, or would not be found by anybody."""
    if any(one.cpus is None or one.memory_bytes is None for one in replicas):
        raise UserError("autoscale: found a container without limits, allowed: what `orchestrate.py up` has started")
    if law.change == "replicas" and front is not None and front.kind == "nginx":
        raise UserError(
            "--change: found replicas behind nginx, which reads its list of servers once, allowed: a server that was "
            "started with --front haproxy or dns"
        )
    of_replicas = law.change == "replicas"
    count = int(law.high) if of_replicas else len(replicas)
    cpus = max(one.cpus or 0.0 for one in replicas) if of_replicas else law.high
    front_cpus = front.cpus if front is not None else 0.0
    said = f" and {front_cpus:g} for the front" if front_cpus else ""
    if count * cpus + front_cpus > machine.cpus + 1e-9:
        raise UserError(
            f"--max: found {law.high:g}, which is {count} x {cpus:g} CPUs{said}, {count * cpus + front_cpus:g} in all, "
            f"allowed: at most the {machine.cpus} CPUs of this machine (`scale --cpus` gives each less)"
        )
    memory = count * max(one.memory_bytes or 0 for one in replicas) + (FRONT_MEMORY_BYTES if front is not None else 0)
    if of_replicas and memory > machine.memory_bytes:
        raise UserError(
            f"--max: found {law.high:g}, which is {format_bytes(memory)} in all, allowed: at most the "
            f"{format_bytes(machine.memory_bytes)} of this machine"
        )


@dataclass(frozen=True)
class _Inside:
    """The runtime API of a front, asked from within its container."""

    engine: ByHand
    front: Front

    @property
    def name(self) -> str:
        return self.front.kind

    def ask(self, question: str) -> str:
        try:
            return self.engine.ask_front(self.front, haproxy.COUNTERS_PORT, question)
        except (UserError, EngineError) as error:
            raise PartError(f"{self.name} does not answer: {error}") from None


class OnDocker:
    """The replicas of one model and the front before them, as the autoscaler reads and changes them."""

    def __init__(self, engine: ByHand, pool: ThreadPoolExecutor) -> None:
        self._engine, self._pool = engine, pool

    def replicas(self) -> list[Replica]:
        return self._engine.replicas()

    def counted(self, replica: Replica) -> Counted | None:
        return self._engine.counted(replica)

    def waiting(self, replicas: Sequence[Replica]) -> float | None:
        counts = list(self._pool.map(self._engine.accept_queue, replicas))
        front = self._engine.front()
        if front is not None and front.kind == "haproxy":
            counts.append(_waiting_in(front))
        known = [count for count in counts if count is not None]
        return float(sum(known)) if len(known) == len(counts) else None

    def grow(self, count: int) -> str:
        began = time.monotonic()
        before = {one.id for one in self.replicas()}
        self._engine.grow(count)
        new = [one.name for one in self.replicas() if one.id not in before]
        verb = "is" if len(new) == 1 else "are"
        return f"{', '.join(new)} {verb} healthy, {time.monotonic() - began:.1f} s after it was asked for"

    def take_out(self, replica: Replica) -> str:
        front = self._engine.front()
        api = HAProxy(_Inside(self._engine, front)) if front is not None and front.kind == "haproxy" else None
        return take_out(api, replica.address, lambda: self._engine.stop(replica), time.monotonic, time.sleep)

    def set_cpus(self, replica: Replica, cpus: float) -> None:
        resizing.set_limits(replica.id, cpus=cpus)


def _waiting_in(front: Front) -> int | None:
    """By its page, which says the same as its runtime API and costs no program in its container."""
    if front.page_port is None:
        return None
    try:
        answer = Address(front.kind, front.page_port).ask("GET /;csv HTTP/1.0\r\n\r\n")
    except PartError:
        return None
    return haproxy.parse(answer.partition("\r\n\r\n")[2]).waiting


def autoscale(model: str, given: Mapping[str, Any], verbose: bool, say: Callable[[str], None]) -> None:
    """Scale the containers of this model until none runs, or until Ctrl-C, which leaves what there is. UserError, one
    line, for what cannot be."""
    engine = ByHand(model)
    machine = Machine(engine.cpus, engine.memory_bytes)
    law = law_of(given, machine)
    replicas, front = engine.replicas(), engine.front()
    check_room(law, replicas, front, machine)
    forecast.prepare(law.forecast)
    if law.change == "cpus" and has_workers(model):
        say(f"{model} keeps the processes of its pool: their number was decided at its start")
    if law.change == "replicas" and (front is None or front.kind not in PROXIES):
        say(f"no front: only who looks up {model} again finds a new replica, and a connection to one that goes is cut")
    say(f"{model}: {len(replicas)} x {replicas[0].cpus:g} CPUs; Ctrl-C ends this and leaves what there is")
    with ThreadPoolExecutor(MOST_REPLICAS) as pool:
        try:
            Autoscaler(law, OnDocker(engine, pool), say, verbose).run()
        except KeyboardInterrupt:
            left = engine.replicas()
            limits = ", ".join(dict.fromkeys(f"{one.cpus:g} CPUs" for one in left if one.cpus))
            say(f"left as it is: {', '.join(one.name for one in left) or 'none runs'}{f', {limits} each' * bool(left)}")
