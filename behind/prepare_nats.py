"""`python3 -m behind.prepare_nats DIRECTORY`, when the image is built: a JetStream store with one stream, the work
queue, and its one consumer, which all workers share."""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

STREAM = "TASKS"
SUBJECT = "threadmill.tasks"
WORKERS = "workers"
# A task that a worker took and did not finish is given to another after so long.
REDELIVERY_S = 5
# At most so many tasks are with workers at once, all of them together.
MOST_UNACKNOWLEDGED = 10_000

_START_S = 60.0
# Asked anew where the answer does not come: what is made twice is there once.
_ANSWER_S = 5.0
_NANO = 10**9
_PORT = 4222


def stream() -> dict[str, Any]:
    """What the stream is: each message is one worker's, and gone when that has acknowledged it."""
    return {
        "name": STREAM,
        "subjects": [SUBJECT],
        "retention": "workqueue",
        "storage": "file",
        "discard": "new",
        "max_msgs": -1,
        "max_bytes": -1,
        "num_replicas": 1,
    }


def consumer() -> dict[str, Any]:
    """What the workers share."""
    return {
        "durable_name": WORKERS,
        "ack_policy": "explicit",
        "ack_wait": REDELIVERY_S * _NANO,
        "max_deliver": -1,
        "max_ack_pending": MOST_UNACKNOWLEDGED,
        "deliver_policy": "all",
        "replay_policy": "instant",
    }


def requests() -> list[tuple[str, dict[str, Any]]]:
    """What JetStream is asked, in this order: a subject and what is sent there."""
    return [
        (f"$JS.API.STREAM.CREATE.{STREAM}", stream()),
        (f"$JS.API.CONSUMER.DURABLE.CREATE.{STREAM}.{WORKERS}", {"stream_name": STREAM, "config": consumer()}),
    ]


def _ask(connection: socket.socket) -> None:
    file = connection.makefile("rb")
    connection.sendall(b'CONNECT {"verbose":false,"pedantic":false}\r\nSUB answer 1\r\n')
    for subject, request in requests():
        body = json.dumps(request).encode()
        connection.sendall(f"PUB {subject} answer {len(body)}\r\n".encode() + body + b"\r\n")
        while not (line := file.readline()).startswith(b"MSG "):
            if not line or line.startswith(b"-ERR"):
                raise SystemExit(f"nats: {line.decode().strip() or 'the server closed the connection'}")
        answer = json.loads(file.read(int(line.split()[-1]) + 2))
        if "error" in answer:
            raise SystemExit(f"nats: {subject}: {answer['error'].get('description')}")


def main(directory: Path) -> None:
    """Make the store in this directory, which becomes readable for any user."""
    server = subprocess.Popen(["nats-server", "--js", "--sd", str(directory), "--addr", "127.0.0.1"])
    try:
        deadline = time.monotonic() + _START_S
        while True:
            try:
                with socket.create_connection(("127.0.0.1", _PORT), _ANSWER_S) as connection:
                    _ask(connection)
                break
            except OSError:
                if time.monotonic() > deadline or server.poll() is not None:
                    raise
                time.sleep(0.05)
    finally:
        server.terminate()
        server.wait()
    for path in (directory, *directory.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
