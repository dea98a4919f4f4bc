"""The Server tab of Locust's page, the route its figures come in by, and which targets are up."""

from __future__ import annotations

import json
import time
from typing import Any

import gevent
from flask import Response, jsonify, request
from locust.web import WebUI

from loadtests.master import figures, reach, samples
from loadtests.master.control import Control
from loadtests.master.samples import BadSampleError

KEY = "server"
LISTENING_TIMEOUT_S = 0.3
TARGETS_KEPT_S = 2.0
"""Several open pages, or an impatient one, make no more connections to the servers than one."""


class ServerTab:
    def __init__(self, web_ui: WebUI, control: Control) -> None:
        self._control = control
        self._up: dict[str, bool] = {}
        self._asked = 0.0
        app = web_ui.app
        assert app is not None
        structure = [{"key": key, "title": title} for key, title in figures.COLUMNS.items()]
        # Locust's page builds tabs and tables of its own out of these two.
        web_ui.template_args["extended_tabs"] = [{"title": "Server", "key": KEY}]
        web_ui.template_args["extended_tables"] = [{"key": KEY, "structure": structure}]
        app.after_request(self._add_figures)
        app.add_url_rule("/threadmill/samples", view_func=self.take, methods=["POST"])
        app.add_url_rule("/threadmill/targets", view_func=self.targets, methods=["GET"])

    def take(self) -> Response | tuple[Response, int]:
        """A probe's line."""
        if (request.content_length or 0) > samples.MOST_BYTES:
            return jsonify(error=f"a sample has at most {samples.MOST_BYTES} bytes"), 413
        try:
            self._control.samples.add(request.get_json(force=True, silent=True), sender=request.remote_addr or "")
        except BadSampleError as error:
            return jsonify(error=str(error)), 400
        return jsonify(ok=True)

    def targets(self) -> Response:
        """Which models are up, by name. In a run as they were before it: nothing else touches the servers then."""
        return jsonify(self.up())

    def up(self) -> dict[str, bool]:
        control = self._control
        if not control.is_idle and self._up:
            return self._up
        if time.monotonic() > self._asked + TARGETS_KEPT_S:
            names = list(control.targets)
            asked = [gevent.spawn(reach.is_listening, *control.targets[name], LISTENING_TIMEOUT_S) for name in names]
            gevent.joinall(asked)
            self._up = {name: bool(answer.value) for name, answer in zip(names, asked, strict=True)}
            self._asked = time.monotonic()
        return self._up

    def _add_figures(self, response: Response) -> Response:
        """The page asks every two seconds while a run is under way. Locust keeps one answer for all who ask, so the
        table is set, not appended."""
        run = self._control.run
        if request.path != "/stats/requests" or not response.is_json or run is None:
            return response
        rows = figures.table(self._control.served_by.shown(run.options.target))
        if run.options.idle_holders:
            rows.append(figures.held(self._control.workers.held(run.workers), run.options.idle_holders))
        content: dict[str, Any] = response.get_json()
        content["extended_stats"] = [{"key": KEY, "data": rows}]
        response.set_data(json.dumps(content))
        return response
