"""From a configuration to a served socket and back: start, run, drain, exit."""

import gc
import os
import resource
import signal
import socket
import sys
from typing import TYPE_CHECKING, NoReturn

from servers import logs, models
from servers.config import Config, ConfigError, read_config
from servers.connection import Connection
from servers.counters import Counters
from servers.cpus import own_cpu_limit
from servers.face import LINES
from servers.listener import ListenError, open_listeners
from servers.models.traits import Size
from servers.server import STOP_SIGNALS, Server

if TYPE_CHECKING:
    from servers.behind.process import Behind
    from servers.face import Face

# As often as the interpreter wants to see code before it specialises all of it.
_REHEARSALS = 20


def run(model_name: str) -> NoReturn:
    """Serve until SIGTERM or SIGINT, then drain and exit with 0. Exits with 2 if it cannot start.

    The caller has blocked STOP_SIGNALS: one that came during the start is delivered once its handler is in place.
    """
    raise_descriptor_limit()
    try:
        config = read_config(os.environ, own_cpu_limit())
        model = models.load(model_name)
        rows = 1 + max(config.max_connections, config.workers, config.threads)
        behind = what_is_behind(model_name, rows)
        face = which_face(model_name, config)
        sockets = model.TRAITS.sockets(Size(config.workers, config.threads))
        listener, *more = open_listeners(config.host, config.port, config.backlog, sockets)
    except (ConfigError, ListenError) as failure:
        print(f"servers: {failure}", file=sys.stderr)
        sys.exit(2)
    except ModuleNotFoundError as missing:
        print(f"servers: {model_name} needs the package {missing.name}: its image has it", file=sys.stderr)
        sys.exit(2)
    if config.switch_interval_us:
        # How long a thread that computes may keep the interpreter's lock from one that wants it; children inherit it.
        sys.setswitchinterval(config.switch_interval_us / 1e6)
    server = Server(model_name, config, listener, Counters(rows, visible=True), *more, behind=behind, face=face)
    rehearse(server)
    gc.collect()
    # What exists now stays: the collector need not touch it, so forked children share its memory.
    gc.freeze()
    logs.info(f"Model {model_name}: {models.describe(model_name)}")
    logs.info(f"Server started on port {listener.getsockname()[1]}")
    handle_signals(server)
    model.serve(server)
    server.finish()
    server.log_totals()
    # Threads of connections that were just answered may still be on their last lines: do not wait for them.
    os._exit(0)


def what_is_behind(model_name: str, rows: int) -> "Behind | None":
    """Where BEHIND says that there is something: only then is anything imported for it. Raises ConfigError."""
    if not (kind := os.environ.get("BEHIND")):
        return None
    try:
        from servers.behind.process import opened

        return opened(os.environ, "servers.aio" in models.traits_of(model_name).imports, rows)
    except ModuleNotFoundError as missing:
        name = f"threadmill/{model_name}-behind"
        raise ConfigError(f"BEHIND={kind} needs the package {missing.name}: the image {name} has it") from None


def which_face(model_name: str, config: Config) -> "Face":
    """What is spoken with clients. Only where FACE says so is anything imported for it. Raises ConfigError."""
    if (name := os.environ.get("FACE", "")) in ("", "line"):
        return LINES
    if name != "http":
        raise ConfigError(f"FACE={name[:40]!r}: must be line or http")
    try:
        from servers.http.face import made

        return made(os.environ, config.max_line)
    except ModuleNotFoundError as missing:
        image = f"threadmill/{model_name}-http"
        raise ConfigError(f"FACE=http needs the package {missing.name}: the image {image} has it") from None


def rehearse(server: Server) -> None:
    """Have conversations with oneself, as the child of a fork has them, so that nothing in them is done a first time.

    What the interpreter finds out the first time (specialised instructions, looked-up methods, bound symbols, room for
    objects) is kept in memory. A child of a fork would find it out again for every connection, and copy its pages.
    """
    config = server.config._replace(packet_log=False)
    for _ in range(_REHEARSALS):
        # Of the kind that keeps what was sent apart apart, so that lines that come alone are rehearsed too.
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            listener = socket.socket(fileno=os.dup(server.listener.fileno()))
            child = Server(server.model, config, listener, Counters(2), face=server.face)
            connection = Connection(socket.SocketType(ours.family, ours.type, ours.proto, ours.detach()), "rehearsal")
            for data in server.face.rehearsal:
                theirs.sendall(data)
            theirs.shutdown(socket.SHUT_WR)
            child.become_child(1)
            child.handle_alone(connection)
            child.finish()
            listener.detach()  # closed by the child


def raise_descriptor_limit() -> None:
    """Use all the descriptors that may be had: MAX_CONNECTIONS is the bound, not the shell's habitual 1024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def handle_signals(server: Server) -> None:
    """Let signals reach the server; one that is pending already is handled before this returns."""
    for signum in STOP_SIGNALS:
        signal.signal(signum, server.stop)
    signal.signal(signal.SIGCHLD, lambda *_: server.children.on_child_signal())
    signal.signal(signal.SIGALRM, server.force)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
