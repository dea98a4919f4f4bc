"""Each line is told to a URL as well, and neither silence nor refusal over there holds up the probe."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from probe.__main__ import Arguments, BadArgument, parse
from probe.push import BadUrl, Push, host_name, parse_url
from tests.waiting import wait_until

PROJECT = Path(__file__).parents[3]
# For a POST that is answered, however busy the machine is.
LONG_S = 30.0


class Receiver:
    """A web server that keeps what is POSTed to it, and answers with `status`."""

    def __init__(self, port: int = 0) -> None:
        self.lines: list[dict[str, Any]] = []
        self.paths: list[str] = []
        self.status = 204
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver.lines.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                receiver.paths.append(self.path)
                self.send_response(receiver.status)
                self.end_headers()
                if receiver.status >= 300:
                    self.wfile.write(b"no such\nmodel")

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextmanager
def receiving(port: int = 0) -> Iterator[Receiver]:
    receiver = Receiver(port)
    try:
        yield receiver
    finally:
        receiver.close()


def test_the_probe_posts_each_line_with_the_models_name_and_prints_it_all_the_same() -> None:
    with receiving() as receiver:
        url = f"http://127.0.0.1:{receiver.port}/threadmill/samples"
        command = [sys.executable, "-m", "probe", "--push", url, "--model", "spmt", "--interval", "0.05"]
        with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as probe:
            wait_until(lambda: len(receiver.lines) >= 3, "three lines")
            probe.terminate()
            output, errors = probe.communicate(timeout=30)
        assert (probe.returncode, errors) == (0, "")
    assert set(receiver.paths) == {"/threadmill/samples"}
    printed = {line["unix"]: line for line in map(json.loads, output.splitlines())}
    for line in receiver.lines[:3]:
        assert (line["model"], line["schema_version"]) == ("spmt", 2)
        head = {"model": "spmt", "schema_version": 2}
        assert {**printed[line["unix"]], **head} == {name: value for name, value in line.items() if name != "host"}


def test_a_line_says_of_which_container_it_is() -> None:
    with receiving() as receiver:
        url = f"http://127.0.0.1:{receiver.port}/"
        with closing(Push(url, "spmt", LONG_S, host="0123abcd")) as push:
            push.add({"n": 1})
            wait_until(lambda: receiver.lines, "a line")
    assert receiver.lines == [{"n": 1, "model": "spmt", "schema_version": 2, "host": "0123abcd"}]


@pytest.mark.parametrize(
    ("text", "name"),
    [("0123abcd\n", "0123abcd"), ("", None), ("two words\n", None), ("x" * 65, None), ("\u00e9", None)],
)
def test_what_a_container_calls_itself_is_a_name_or_not_known(tmp_path: Path, text: str, name: str | None) -> None:
    assert host_name(tmp_path / "absent") is None
    (tmp_path / "hostname").write_text(text, encoding="utf-8")
    assert host_name(tmp_path / "hostname") == name


def test_failure_is_said_once_and_recovery_once() -> None:
    with socket.socket() as taken:  # keeps the port, and refuses
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        said: list[str] = []
        push = Push(f"http://127.0.0.1:{port}/samples", "spst", LONG_S, said.append)
        push.add({"n": 0})
        wait_until(lambda: said, "the first failure")
    with closing(push), receiving(port) as receiver:
        receiver.status = 400
        for number in range(3):
            push.add({"n": number})
            wait_until(lambda number=number: len(receiver.lines) > number, "a refused line")
        receiver.status = 204
        for number in range(3, 6):
            push.add({"n": number})
            wait_until(lambda number=number: len(receiver.lines) > number, "a line")
        wait_until(lambda: len(said) >= 2, "the recovery")
    assert said == [
        f"http://127.0.0.1:{port}/samples: Connection refused; trying on",
        f"http://127.0.0.1:{port}/samples: takes lines again",
    ]


def test_a_refusal_is_told_with_its_reason_in_one_line() -> None:
    said: list[str] = []
    with (
        receiving() as receiver,
        closing(Push(f"http://127.0.0.1:{receiver.port}/", "spst", LONG_S, said.append)) as push,
    ):
        receiver.status = 400
        push.add({})
        wait_until(lambda: said, "the refusal")
    assert said[0].endswith("/: 400 Bad Request no such model; trying on")


def test_who_never_answers_holds_nobody_up_and_only_the_newest_line_waits() -> None:
    said: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with closing(Push(f"http://127.0.0.1:{port}/", "spst", 0.2, said.append)) as push:
            push.add({"n": -1})
            first, _ = silent.accept()
            with first:
                for number in range(1000):
                    push.add({"n": number})  # returns at once, each time
                # The first was given up; of the thousand only the last is left.
                second, _ = silent.accept()
            with second:
                request = b""
                while b"}" not in request:
                    request += second.recv(4096)
    assert b'"n":999' in request
    wait_until(lambda: said, "the complaint")
    assert len(said) == 1


def test_a_url_is_taken_apart_or_refused() -> None:
    assert parse_url("http://locust:8089/threadmill/samples") == ("locust", 8089, "/threadmill/samples")
    assert parse_url("http://locust") == ("locust", 80, "/")
    for text in ("locust:8089", "https://locust/", "http://", "http://locust:99999/", "http://[/"):
        with pytest.raises(BadUrl, match="allowed: http://HOST"):
            parse_url(text)


def test_push_and_model_go_together_and_not_with_files(tmp_path: Path) -> None:
    assert parse(["--push", "http://a/", "--model", "spmt"]) == Arguments(
        interval_s=1.0, push="http://a/", model="spmt"
    )
    for words, says in (
        (["--push", "http://a/"], "--push and --model: one without the other"),
        (["--model", "spmt"], "--push and --model: one without the other"),
        (["--push", "http://a/", "--model", "a b"], "--model: found 'a b', allowed: letters"),
        (
            ["--push", "http://a/", "--model", "a", "--output", str(tmp_path), "--name", "t"],
            "--push and --name: both given; allowed: one of them",
        ),
    ):
        with pytest.raises(BadArgument) as error:
            parse(words)
        assert says in str(error.value)


def test_a_url_that_is_none_ends_the_probe_with_one_line() -> None:
    command = [sys.executable, "-m", "probe", "--push", "locust:8089", "--model", "spmt"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "probe: --push: found 'locust:8089', allowed: http://HOST[:PORT]/PATH\n"
