"""What Locust loads on the master and on every worker: options, the user, and listeners that tie the parts together."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

# Locust runs this file by its path and knows only its own directory.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import argparse

import gevent
from locust import events
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from loadtests import fields, targets, tuning
from loadtests.field import Field, OptionError, Value
from loadtests.master import unattended
from loadtests.master.control import Control
from loadtests.master.routes import Routes
from loadtests.master.server_tab import ServerTab
from loadtests.master.unattended import Unattended
from loadtests.worker.users import EchoUser
from loadtests.worker.worker import Worker

__all__ = ["EchoUser"]

DEFAULT_USERS = 8

tuning.apply()

# Locust handles it only once it runs, a worker once its master is there. Until then it would end everything but the
# first process of a container, which the kernel spares where it has no handler: `docker stop` would wait ten seconds.
signal.signal(signal.SIGTERM, lambda *_: os._exit(128 + signal.SIGTERM))

try:
    TARGETS = targets.read_targets(os.environ)
    FRONTS = targets.read_fronts(os.environ, TARGETS)
except ValueError as error:
    sys.exit(str(error))

_routes: Routes | None = None


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def add_options(parser: LocustArgumentParser, **_: Any) -> None:
    """Locust calls this at every load of its page too, so the default target is the one that is up then."""
    default_target = _routes.default_target if _routes else next(iter(TARGETS), "")
    offered = _routes.offered if _routes else list(TARGETS)
    for field in fields.with_target(list(TARGETS), default_target):
        parser.add_argument(
            f"--{field.name.replace('_', '-')}",
            default=field.default,
            # A worker needs no list of targets: the master tells it one.
            type=str if field.name == "target" else _command_line_type(field),
            choices=(offered if field.name == "target" else list(field.choices)) or None,
            help=field.help,
            include_in_web_ui=field.on_form,
        )


def _command_line_type(field: Field) -> Any:
    def read(text: str) -> Value:
        try:
            return field.parse(text)
        except OptionError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return read


@events.init.add_listener  # type: ignore[untyped-decorator]
def prepare(environment: Environment, runner: Any, **_: Any) -> None:
    """A master gets control and routes; a worker records and reports."""
    global _routes
    if isinstance(runner, WorkerRunner):
        Worker(environment, runner)
    elif isinstance(runner, MasterRunner):
        if not TARGETS:
            sys.exit("TARGETS is not set: name the models to load, as in TARGETS=MODEL,MODEL")
        control = Control(environment, runner, TARGETS, Path(os.environ.get("RESULTS_DIR", "/results")), FRONTS)
        if environment.web_ui is not None and environment.web_ui.app is not None:
            tab = ServerTab(environment.web_ui, control)
            _routes = Routes(environment.web_ui.app, control, tab, targets.read_one_at_a_time(os.environ))
        parsed_options = environment.parsed_options
        if parsed_options is not None:
            parsed_options.num_users = parsed_options.num_users or DEFAULT_USERS
            parsed_options.spawn_rate = parsed_options.spawn_rate or DEFAULT_USERS
            _start_if_nobody_does(environment, runner, control, parsed_options)
    else:
        sys.exit("Threadmill's load runs distributed: start a --master and at least one --worker")


def _start_if_nobody_does(
    environment: Environment, runner: MasterRunner, control: Control, parsed_options: argparse.Namespace
) -> None:
    try:
        asked = unattended.order(parsed_options, list(TARGETS))
    except OptionError as error:
        sys.exit(str(error))
    if asked is not None:
        unattended.take_over(parsed_options)
        gevent.spawn(Unattended(environment, runner, control, asked).live)
