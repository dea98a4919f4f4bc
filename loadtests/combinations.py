"""Which options of a run go together, and with how many users and workers."""

from __future__ import annotations

from loadtests.field import OptionError, shown
from loadtests.options import Options


def check(wanted: Options) -> None:
    """What belongs to the other mode was meant to have an effect, so it is refused rather than ignored."""
    if wanted.open_loop:
        if not wanted.rate and not wanted.load_profile:
            raise OptionError("rate: mode open needs requests per second above 0, not 0")
        _check_profile(wanted)
        if wanted.think_ms:
            raise OptionError(f"think_ms: mode open has no think time, so 0, not {wanted.think_ms:g}")
    else:
        if wanted.rate:
            raise OptionError(f"rate: mode closed has none, so 0, not {wanted.rate:g}; or choose mode open")
        if wanted.load_profile:
            raise OptionError(f"load_profile: {shown(wanted.load_profile)} needs mode open")
        if wanted.arrivals != "constant":
            raise OptionError(f"arrivals: {wanted.arrivals} needs mode open")
    _check_spinners(wanted)
    _check_method(wanted)
    _check_gateway(wanted)
    _check_behind(wanted)
    if wanted.precise and not (wanted.open_loop and wanted.engine == "fast"):
        raise OptionError("precise: true needs mode open and engine fast")


def _check_spinners(wanted: Options) -> None:
    if not wanted.spinners:
        return
    if wanted.open_loop:
        raise OptionError(f"spinners: {wanted.spinners} needs mode closed: in an open loop whoever is idle sends")
    if wanted.behind != "none" or wanted.services or wanted.gets:
        raise OptionError(f"spinners: {wanted.spinners} needs behind none, method post and no services")


def _check_method(wanted: Options) -> None:
    if not wanted.gets:
        return
    if wanted.protocol != "http":
        raise OptionError(f"method: get needs protocol http, not {wanted.protocol}")
    if not wanted.keys:
        raise OptionError("keys: at least 1 with method get, not 0")
    if wanted.behind == "broker":
        raise OptionError("method: post with a broker behind, not get: a message is sent once, and no item")
    if wanted.writes or wanted.scans:
        found = f"reads {wanted.reads:g} and scans {wanted.scans:g}"
        raise OptionError(f"method: get asks for items by their keys, so reads 1 and scans 0, not {found}")


def _check_gateway(wanted: Options) -> None:
    for name, found in (("services", wanted.services), ("api_key", wanted.api_key)):
        if found and wanted.protocol != "http":
            raise OptionError(f"{name}: {shown(found)} needs protocol http, not {wanted.protocol}")
    if not wanted.services:
        return
    if wanted.gets:
        raise OptionError("method: post with services, not get")
    reading = [part.name for part in wanted.parts if part.reads]
    if reading and wanted.behind != "store":
        raise OptionError(f"services: {reading[0]} reads, which needs behind store, not {wanted.behind}")
    if wanted.behind == "broker":
        raise OptionError("services: with a broker behind there are none")


def _check_behind(wanted: Options) -> None:
    if wanted.behind == "none":
        if wanted.zipf and not wanted.gets:
            raise OptionError(f"zipf: nothing is behind, so 0, not {wanted.zipf:g}")
    elif not wanted.keys:
        raise OptionError(f"keys: at least 1 with a {wanted.behind} behind, not 0")
    if wanted.behind != "store":
        if wanted.reads != 1:
            raise OptionError(f"reads: {wanted.reads:g} needs behind store")
        if wanted.scans:
            raise OptionError(f"scans: {wanted.scans:g} needs behind store")


def _check_profile(wanted: Options) -> None:
    profile = wanted.profile
    if profile is None:
        return
    if wanted.rate:
        raise OptionError(f"rate: load_profile says the rates, so 0, not {wanted.rate:g}")
    if wanted.window_s and profile.length_s > wanted.window_s:
        raise OptionError(
            f"load_profile: at most as long as the window, {wanted.window_s:g} s, not {profile.length_s:g} s"
        )
    if not profile.highest:
        raise OptionError("load_profile: a rate above 0 somewhere, not 0 throughout")


def too_few_users(wanted: Options, users: int, workers: int) -> str:
    """Why so many users cannot make this load on so many workers; empty when they can."""
    if wanted.open_loop and users < workers:
        return f"{users} users for {workers} workers: mode open shares the rate equally, so each worker needs one"
    if wanted.spinners and users <= wanted.spinners:
        return f"{users} users of whom {wanted.spinners} ask for the work: somebody has to send the bare echoes"
    # A key is written by one worker, and by one request at a time: whoever reads it then knows what must be there.
    if wanted.writes and wanted.keys // workers < -(-users // workers):
        return (
            f"{wanted.keys} keys for {users} users of {workers} workers: requests that write need a key for each user"
        )
    return ""
