"""HTTP on the master: the routes of Threadmill, and the guard before Locust's own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, cast
from urllib.parse import urlsplit

from flask import Flask, Request, Response, g, jsonify, request
from locust.util.timespan import parse_timespan

from loadtests import fields
from loadtests.field import OptionError
from loadtests.fields import MOST_KEYS, MOST_USERS
from loadtests.master import calibrate, page, reach, status, verify
from loadtests.master.calibrate import NotCalibratedError
from loadtests.master.control import Control, StartRefusedError
from loadtests.master.server_tab import ServerTab
from loadtests.master.tally import Tally
from loadtests.master.verify_behind import KINDS, SEEN, Behind, Kind, Seen
from loadtests.options import Options
from loadtests.targets import address_of, first_choice, offered
from loadtests.wire.protocols import PROTOCOLS

_START_TIMEOUT_S = 5.0
_CONNECTIONS = f"a whole number of connections, at most {verify.MOST_CONNECTIONS}"

_IGNORED_KEYS = frozenset({"host", "profile"})
"""Locust's form always sends them; the target decides where the load goes."""


def _tried(wanted: Options, host: str, port: int) -> reach.Tried:
    return reach.try_echo(wanted.target, host, port, wanted.protocol, key=wanted.api_key)


class Routes:
    def __init__(self, app: Flask, control: Control, tab: ServerTab, one_at_a_time: Collection[str] = ()) -> None:
        """`one_at_a_time`: targets that serve one client at a time."""
        self._control = control
        self._one_at_a_time = one_at_a_time
        self._tab = tab
        self._hold: verify.Hold | None = None
        self.default_target = next(iter(control.targets))
        self.offered = list(control.targets)
        app.before_request(self._guard)
        app.after_request(self._confirm_swarm)
        app.after_request(self._tidy_page)
        app.add_url_rule("/threadmill/echo", view_func=self.echo, methods=["GET"])
        app.add_url_rule("/threadmill/crash", view_func=self.crash, methods=["POST"])
        app.add_url_rule("/threadmill/status", view_func=self.status, methods=["GET"])
        app.add_url_rule("/threadmill/responses", view_func=self.responses, methods=["GET"])
        app.add_url_rule("/threadmill/stop", view_func=self.stop, methods=["POST"])
        app.add_url_rule("/threadmill/verify", view_func=self.verify, methods=["POST"])
        app.add_url_rule("/threadmill/hold", view_func=self.hold, methods=["POST"])
        app.add_url_rule("/threadmill/release", view_func=self.release, methods=["POST"])

    # Routes

    def echo(self) -> Response:
        try:
            target, address, protocol = self._asked_target()
            tried = reach.try_echo(target, *address, protocol, key=request.values.get("api_key", ""))
        except OptionError as refusal:
            tried = reach.Tried(str(refusal), False)
        return jsonify(
            ok=not tried.error, error=tried.error, replies=int(not tried.error), connections=int(tried.connected)
        )

    def crash(self) -> Response | tuple[Response, int]:
        """A fault on purpose, while a run is on or not."""
        try:
            target, address, protocol = self._asked_target()
            how = _read_choice("how", request.values, reach.CRASHES)
        except OptionError as refusal:
            return jsonify(error=str(refusal)), 409
        tried = reach.crash(target, *address, protocol, how)
        return jsonify(error=tried.error, connections=int(tried.connected))

    def verify(self) -> Response | tuple[Response, int]:
        try:
            parallel = _read_number(
                "parallel", request.values, int, 0, verify.MOST_CONNECTIONS, _CONNECTIONS, default="4"
            )
            return jsonify(verify.verify(self._free_target(), parallel, _read_behind(request.values)))
        except (OptionError, StartRefusedError) as refusal:
            return jsonify(error=str(refusal)), 409

    def hold(self) -> Response | tuple[Response, int]:
        try:
            number = _read_number("connections", request.values, int, 1, verify.MOST_CONNECTIONS, _CONNECTIONS)
            tally = self._free_target()
            if self._hold is not None:
                raise StartRefusedError("connections are held already: POST /threadmill/release first")
            self._hold = verify.Hold(tally)
            return jsonify(self._hold.open(number))
        except (OptionError, StartRefusedError) as refusal:
            return jsonify(error=str(refusal)), 409

    def release(self) -> Response:
        held, self._hold = self._hold, None
        return jsonify(held.release() if held is not None else {"released": 0, "replies": 0, "unanswered": 0})

    def _asked_target(self) -> tuple[str, tuple[str, int], str]:
        """The target asked for, its address, and the protocol it is to be asked in. Raises OptionError."""
        target, targets = request.values.get("target", ""), self._control.targets
        address = address_of(target, targets)
        if address is None:
            raise OptionError(f"target: one of {', '.join(targets)}, not {target[:40]!r}")
        return target, address, _read_choice("protocol", request.values, PROTOCOLS)

    def _free_target(self) -> Tally:
        """To count what the target is made to do, which nobody loads. Raises OptionError, StartRefusedError."""
        target, address, protocol = self._asked_target()
        run = self._control.run
        if run is not None and not run.over.is_set():
            raise StartRefusedError(f"{run.trial_id} is running: stop it first")
        return Tally(*address, protocol, target)

    def status(self) -> Response:
        return jsonify(status.status(self._control))

    def responses(self) -> Response:
        return jsonify(status.responses(self._control.runner))

    def stop(self) -> Response:
        run = self._control.stop_and_wait()
        if run is None:
            return jsonify(complete=False, file="", workers_final=0, workers_expected=0, error="nothing has run yet")
        return jsonify(
            complete=bool(run.file),
            file=run.file,
            workers_final=len(run.finals),
            workers_expected=len(run.workers),
            error=run.trouble,
        )

    # The guard

    def _guard(self) -> Response | tuple[Response, int] | None:
        """Answers instead of Locust where it would do harm; None lets the request through."""
        if request.method == "POST" and _is_cross_site(request):
            return jsonify(success=False, message="a page of another site may not control this one"), 403
        if request.method == "POST" and request.path == "/user":
            return jsonify(success=False, message="users are set by the form"), 403
        if request.method == "POST" and request.path == "/swarm":
            try:
                wanted = self._check_swarm(request.form)
                wanted, echoes = calibrate.in_units(wanted, *self._control.targets[wanted.target])
                # The check has made the server answer one request.
                self._control.claim(wanted, users=int(request.form["user_count"]), replies_to_checks=1 + echoes)
                g.claimed = True
            except (OptionError, StartRefusedError, NotCalibratedError) as refusal:
                return jsonify(success=False, message=str(refusal))
        if request.method == "GET" and request.path == "/":
            self._choose_default_target()
        return None

    def _check_swarm(self, form: Mapping[str, str]) -> Options:
        control = self._control
        names = {field.name for field in fields.with_target(list(control.targets), self.default_target)}
        for key in form:
            if key not in names | _IGNORED_KEYS | {"user_count", "spawn_rate", "run_time"}:
                raise OptionError(f"{key[:40]!r} is not a field of this form")
        wanted = fields.parse(form, list(control.targets), self.default_target)
        _read_number("user_count", form, int, 1, MOST_USERS, f"a whole number of users from 1 to {MOST_USERS}")
        _read_number(
            "spawn_rate", form, float, 0.001, MOST_USERS, f"users per second, above 0 and at most {MOST_USERS}"
        )
        if form.get("run_time"):
            try:
                parse_timespan(form["run_time"])
            except ValueError:
                raise OptionError(f"run_time: like 20, 20s, 3m or 1h20m, not {form['run_time'][:40]!r}") from None
        run = control.run
        if run is not None and not run.over.is_set():
            raise StartRefusedError(f"{run.trial_id} is running: stop it first")
        if error := _tried(wanted, *control.targets[wanted.target]).error:
            raise StartRefusedError(error)
        return wanted

    def _confirm_swarm(self, response: Response) -> Response:
        """Locust says yes before it has started anything; this says yes when the run is on its way."""
        if not g.get("claimed"):
            return response
        if not (response.is_json and response.get_json().get("success")):
            self._control.give_back()
            return response
        if self._control.confirm_started(_START_TIMEOUT_S):
            return response
        return jsonify(success=False, message="the run did not start: see the Logs tab")

    # The page

    def _choose_default_target(self) -> None:
        """The first that is up, unless a run is under way: then nothing else may touch the servers."""
        if not self._control.is_idle:
            return
        names, up, fronts = list(self._control.targets), self._tab.up(), self._control.fronts
        self.default_target = first_choice(names, up, self._one_at_a_time, fronts)
        self.offered = offered(names, up, fronts)

    @staticmethod
    def _tidy_page(response: Response) -> Response:
        if request.path == "/" and response.mimetype == "text/html" and not response.direct_passthrough:
            response.set_data(page.tidy(response.get_data(as_text=True)))
        return response


def _read_number(
    name: str, form: Mapping[str, str], kind: Any, lowest: float, highest: float, allowed: str, default: str = ""
) -> Any:
    """Raises OptionError."""
    found = form.get(name, default)
    try:
        if not lowest <= (value := kind(found)) <= highest:
            raise ValueError
        return value
    except ValueError:
        raise OptionError(f"{name}: {allowed}, not {found[:40]!r}") from None


def _read_choice(name: str, form: Mapping[str, str], allowed: Sequence[str]) -> str:
    """The first where none is given. Raises OptionError."""
    found = form.get(name, allowed[0])
    if found not in allowed:
        raise OptionError(f"{name}: {' or '.join(allowed)}, not {found[:40]!r}")
    return found


def _read_behind(form: Mapping[str, str]) -> Behind:
    """What stands behind the server that is to be checked. Raises OptionError."""
    kind, seen = _read_choice("behind", form, KINDS), _read_choice("seen", form, SEEN)
    keys = _read_number("keys", form, int, 1, MOST_KEYS, f"a whole number from 1 to {MOST_KEYS}", default="1")
    return Behind(cast(Kind, kind), keys, form.get("scans") == "true", cast(Seen, seen))


def _is_cross_site(request: Request) -> bool:
    """Browsers name the page a POST comes from; programs do not."""
    origin = request.headers.get("Origin")
    return origin is not None and urlsplit(origin).netloc != request.host
