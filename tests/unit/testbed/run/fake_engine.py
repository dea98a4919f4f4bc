"""An engine without containers, for whole sweeps in a moment: it has what a sweep asks of one and no more.

Behind its published port answers what stands in for Locust's master: a trial is over as soon as it has begun, and its
result is that of a server which sustains `most_rps`.
"""

import json
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from testbed.errors import EngineGone
from testbed.stack import cpus
from testbed.stack.cpus import CpuSets
from testbed.stack.engine import Exit, LaidOut
from testbed.stack.services import Stack

WINDOW_S = 10.0


class FakeServer:
    """A server container of one process and one thread."""

    pid = 1

    def __init__(self, engine: "FakeEngine") -> None:
        self._engine = engine

    def tasks(self) -> tuple[int, int]:
        return 1, 1

    def exit(self) -> Exit | None:
        return None

    def stop(self) -> str:
        served, self._engine.echoes = self._engine.echoes, 0
        return "[REPORT] " + json.dumps({"served": served, "replaced": 0}) + "\n"


class FakeEngine:
    """`on` holds what happens at a call, by its name, or by `up` and the beginning of a trial's name: it may raise."""

    cpus, memory_bytes, is_here = 2, 2**33, False
    networks = ("bridge", "shared")

    def __init__(self, most_rps: float = 370.0) -> None:
        self.on: dict[str, Callable[[], object]] = {}
        self.calls: list[str] = []
        self.dead = False
        self.comes_back = False
        self.left_behind: list[str] = []
        """Runs that have containers here."""
        self.most_rps = most_rps
        self.speed: dict[str, float] = {}
        """What a calibration finds besides."""
        self.echoes = 0
        self.asked: dict[str, dict[str, str]] = {}
        """By trial, the form that the master got."""
        self.results = Path()
        self._master: ThreadingHTTPServer | None = None

    def _called(self, name: str) -> None:
        self.calls.append(name)
        for beginning, happens in self.on.items():
            if name.startswith(beginning):
                happens()
        if self.dead:
            raise EngineGone("Docker's engine does not answer any more: Connection refused")

    def keep_open(self, descriptor: int) -> None: ...

    def runs(self) -> dict[str, int]:
        return dict.fromkeys(self.left_behind, 1)

    def wait_until_back(self, patience_s: float) -> None:
        self.dead = self.dead and not self.comes_back

    def facts(self) -> dict[str, Any]:
        return {"ServerVersion": "fake"}

    def image_id(self, image: str) -> str | None:
        return f"sha256:{image}"

    def run_once(self, image: str, command: list[str], run_id: str, cpuset: str | None) -> str:
        self._called("run_once")
        return json.dumps({"spin_units_per_ms": 1000.0, "hash_rounds_per_ms": 1000.0, **self.speed})

    def cpu_sets(self, server_cpus: float, load_workers: int) -> CpuSets:
        return cpus.partition(cpus.elsewhere(self.cpus), server_cpus, load_workers)

    def bring_images(self, images: Sequence[str], say: Callable[[str], None]) -> None: ...

    def lay_out(self, stack: Stack, directory: Path, load: Path) -> LaidOut:
        file = directory / "compose.yaml"
        file.write_text(f"name: {stack.project}\n")
        return LaidOut(file, stack)

    def clock_ahead_s(self, service: str) -> float:
        return 0.0

    def hand_in(self, run_id: str, service: str, file: Path) -> None: ...

    def bring(self, run_id: str, service: str, directory: Path, names: Sequence[str]) -> None: ...

    def cluster(self) -> None: ...

    def trouble(self, lost: Sequence[str] = ()) -> str:
        return ""

    def up(self, laid: LaidOut, services: Sequence[str]) -> None:
        is_load = "worker" in services
        self._called("up load" if is_load else f"up {laid.file.parent.name}")
        if is_load:
            self.results = laid.file.parent
            self._listen()

    def server(self, run_id: str, service: str) -> FakeServer:
        return FakeServer(self)

    def published(self, run_id: str, service: str, port: int) -> tuple[str, int]:
        assert self._master is not None, "started before"
        return "127.0.0.1", int(self._master.server_address[1])

    def ended(self, run_id: str) -> list[str]:
        return []

    def load_is_gone(self, run_id: str) -> bool:
        return False

    def logs(self, run_id: str) -> dict[str, str]:
        self._called("logs")
        return {"locust-1": "ready\n"}

    def remove_trial(self, run_id: str, trial_id: str) -> None: ...

    def remove(self, run_id: str) -> None:
        self._called("remove")
        self.left_behind = [one for one in self.left_behind if one != run_id]
        self.close()

    @property
    def is_up(self) -> bool:
        """Whether the load generator is left running."""
        return self._master is not None

    def close(self) -> None:
        if self._master is not None:
            self._master.shutdown()
            self._master.server_close()
            self._master = None

    def _listen(self) -> None:
        engine = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Head and body in one packet: the second one of two would wait for the first one's acknowledgement.
            wbufsize = 2**16

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
                place = urlsplit(self.path)
                answer = json.dumps(engine.answer(place.path, dict(parse_qsl(place.query) + parse_qsl(body)))).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            do_POST = do_GET  # noqa: N815 - as its base calls it

            def log_message(self, *_: object) -> None: ...

        self._master = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._master.daemon_threads = True
        threading.Thread(target=self._master.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, path: str, asked: dict[str, str]) -> dict[str, Any]:
        """What the master says."""
        match path.rpartition("/")[2]:
            case "status":
                return self._status()
            case "echo":
                self.echoes += 1
                return {"ok": True, "replies": 1, "connections": 1}
            case "verify":
                return {"checks": [], "replies": 0, "errors": 0, "connections": 0}
            case "hold":
                self.echoes += 1
                return {"held": 1, "replies": 1}
            case "release":
                return {"replies": 0, "unanswered": 0}
            case "swarm":
                self.asked.pop(asked["trial_id"], None)
                self.asked[asked["trial_id"]] = asked
                return {"success": True}
            case "stop":
                self._write_result()
                return {"complete": True, "error": ""}
        raise AssertionError(path)

    def _status(self) -> dict[str, Any]:
        trial_id, asked = next(reversed(self.asked.items()), ("", {"user_count": "0"}))
        times = {"window_opens_in_s": 0.0, "window_closes_in_s": 0.0}
        counts = {
            "workers": 1,
            "workers_expected": 1,
            "workers_lost": [],
            "users": int(asked["user_count"]),
            "requests": 0,
            "failures": 0,
        }
        return {"state": "running", "trial_id": trial_id, **times, **counts}

    def _write_result(self) -> None:
        trial_id, asked = next(reversed(self.asked.items()))
        rate = float(asked["rate"]) or self.most_rps
        held = min(rate, self.most_rps)
        ok, is_open = round(held * WINDOW_S), asked["mode"] == "open"
        self.echoes += ok + 1
        latency = {"p50": 4000, "p90": 6000, "p99": 9000 if rate <= self.most_rps else 400_000, "max": 500_000}
        load = {
            "options": asked,
            "window": {"opens_unix": 1.0, "closes_unix": 1.0 + WINDOW_S, "duration_s": WINDOW_S},
            "workers_present": {"expected": 1, "throughout": True},
            "users": int(asked["user_count"]),
            "users_starved": 0,
            "ok": ok,
            "failed": 0,
            "in_flight": 0,
            "offered": round(rate * WINDOW_S) if is_open else None,
            "achieved_over_offered": held / rate if is_open else None,
            "throughput_rps": held,
            "latency_us": latency,
            "service_time_us": {"p50": 3000, "p99": 5000, "max": 9000},
            "slices": [],
            "generator": [{"worker": "w", "cpu_used_s": 0.5, "window_s": WINDOW_S}],
            "replies_to_checks": 1,
            "totals": {"sent": ok, "ok": ok, "failures": {"bad_echo": 0}, "in_flight": 0},
        }
        place = self.results / "load"
        (place / f"{trial_id}.json").write_text(json.dumps(load))
        (place / f"{trial_id}.probe.json").write_text(json.dumps({"difference": {}, "closed": {}, "max": {}}))
