"""From CPU time per request to the units that a server counts in: measured on the target itself, right before a run.

A sweep calibrates once, in a container without limits, and asks for units. From the page work is asked for in time as
well. What a unit takes is found by asking the target for some and comparing with a bare echo, on one connection, one
request at a time: it is a time of the very interpreter that will serve, seen from here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from statistics import median
from time import perf_counter

import gevent

from loadtests.client import Address, EchoClient, resolve
from loadtests.field import OptionError
from loadtests.fields import MOST_UNITS
from loadtests.options import Options
from loadtests.replies import EchoError
from loadtests.wire import protocols

TIMEOUT_S = 10.0
SAMPLES = 15
FIRST_UNITS = 1_000
SAMPLE_S = 0.002
"""What one sample is to take: far more than an echo, and little beside the 5 ms that a quota of 0.05 CPUs allows."""
PAUSE_S = 0.02
"""Between samples, so that even a tenth of a CPU is not used up by them."""

_PAYLOAD = b"threadmill-calibration"
_SPIN, _HASH = b"spin=%d", b"hash=%d"


class NotCalibratedError(Exception):
    """One line: the target did not do what it was asked."""


Ask = Callable[[bytes], float]
"""Sends a request with this word, or with none where it is empty, and says how many seconds its echo took."""


def in_units(wanted: Options, host: str, port: int) -> tuple[Options, int]:
    """The options with the units for their times, and how many requests the target has echoed for that.

    Raises OptionError, NotCalibratedError.
    """
    check(wanted)
    if not (wanted.spin_us or wanted.hash_us):
        return wanted, 0
    address = _resolved(host, port)
    wire = protocols.of(wanted.protocol, wanted.target, wanted.api_key)
    client = EchoClient(lambda: address, wire, TIMEOUT_S)
    echoes = 0

    def ask(word: bytes) -> float:
        nonlocal echoes
        request = wire.request(_PAYLOAD, [word] if word else [])
        if not client.connected:
            client.connect()
        began = perf_counter()
        client.round_trip(request)
        took_s = perf_counter() - began
        echoes += 1
        if client.is_last:
            client.close()
        gevent.sleep(PAUSE_S)
        return took_s

    try:
        with gevent.Timeout(TIMEOUT_S):
            found = convert(wanted, ask)
    except (EchoError, gevent.Timeout) as error:
        why = str(error) if isinstance(error, EchoError) else f"no answer within {TIMEOUT_S:g} s"
        raise NotCalibratedError(f"{wanted.target} cannot be calibrated: {why}") from None
    finally:
        client.close()
    return found, echoes


def check(wanted: Options) -> None:
    """Raises OptionError where both a time and units are given."""
    for time_name, units_name in (("spin_us", "spin_units"), ("hash_us", "hash_rounds")):
        if getattr(wanted, time_name) and getattr(wanted, units_name):
            raise OptionError(f"{time_name}: 0 where {units_name} is given, not {getattr(wanted, time_name)}")


def convert(wanted: Options, ask: Ask) -> Options:
    """Raises OptionError when a time is more work than the target accepts in one request."""
    spin_units = _units("spin_us", wanted.spin_us, _SPIN, ask)
    hash_rounds = _units("hash_us", wanted.hash_us, _HASH, ask)
    return replace(wanted, spin_units=spin_units or wanted.spin_units, hash_rounds=hash_rounds or wanted.hash_rounds)


def _units(name: str, asked_us: int, form: bytes, ask: Ask) -> int:
    if not asked_us:
        return 0
    per_us = units_per_us(form, ask)
    units = round(asked_us * per_us)
    if units > MOST_UNITS:
        raise OptionError(f"{name}: at most {int(MOST_UNITS / per_us)} on this target, not {asked_us}")
    return max(1, units)


def units_per_us(form: bytes, ask: Ask) -> float:
    """How many units of this word the target does in a microsecond, in the median of SAMPLES requests."""

    def typical(word: bytes, samples: int) -> float:
        return median(ask(word) for _ in range(samples))

    bare_s = typical(b"", SAMPLES)
    first_s = typical(form % FIRST_UNITS, 3) - bare_s
    # A first time below the clock's noise: then as many as the server takes, within reason.
    units = min(max(FIRST_UNITS, round(FIRST_UNITS * SAMPLE_S / max(first_s, 1e-5))), MOST_UNITS)
    took_s = max(typical(form % units, SAMPLES) - bare_s, 1e-9)
    return units / (took_s * 1e6)


def _resolved(host: str, port: int) -> Address:
    try:
        return resolve(host, port)
    except OSError as error:
        raise NotCalibratedError(f"{host} does not resolve: {error}") from None
