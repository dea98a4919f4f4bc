"""``python -m servers.client HOST PORT ["text" ...]`` sends lines to a server and shows both directions."""

import argparse
import socket
import sys
from collections.abc import Iterable, Iterator

from servers.logs import packet_lines

CONNECT_TIMEOUT_S = 10.0
# The longest sleep and the longest spin together, on a server with a quarter of a CPU.
REPLY_TIMEOUT_S = 120.0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m servers.client", description="Send lines to a server, show its replies."
    )
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("text", nargs="*", help="each is sent as one line; none: lines are read from standard input")
    options = parser.parse_args(arguments)
    try:
        converse(options.host, options.port, options.text or typed_lines())
    except KeyboardInterrupt:
        return 130
    except (OSError, OverflowError) as failure:
        print(f"client: {options.host}:{options.port}: {failure}", file=sys.stderr)
        return 1
    return 0


def converse(host: str, port: int, lines: Iterable[str]) -> None:
    """Send each line and print it with its reply. Raises OSError if the server cannot be reached or hangs up."""
    with socket.create_connection((host, port), CONNECT_TIMEOUT_S) as sock, sock.makefile("rb") as replies:
        sock.settimeout(REPLY_TIMEOUT_S)
        for line in lines:
            request = line.encode("utf-8", "surrogateescape") + b"\n"
            show("SEND", request)
            sock.sendall(request)
            for _ in range(request.count(b"\n")):  # a text with a newline in it is several requests
                reply = replies.readline()
                if not reply.endswith(b"\n"):
                    raise ConnectionError("the server closed the connection")
                show("RECV", reply)


def show(direction: str, data: bytes) -> None:
    print(*packet_lines(direction, data), sep="\n", flush=True)


def typed_lines() -> Iterator[str]:
    interactive = sys.stdin.isatty()
    while True:
        if interactive:
            print("> ", end="", flush=True)
        line = sys.stdin.readline()
        if not line:
            return
        yield line.removesuffix("\n")


if __name__ == "__main__":
    sys.exit(main())
