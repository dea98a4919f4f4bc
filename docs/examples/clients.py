#!/usr/bin/env python3
"""So many clients at once, each with a connection and a thread of its own: who is answered when? Standard library.

Not a load generator: for numbers to compare, use a sweep.
"""

import argparse
import socket
import threading
import time

TIMEOUT_S = 120.0


def client(number: int, options: argparse.Namespace, start: float, done: list[int], lock: threading.Lock) -> None:
    with socket.create_connection((options.host, options.port), TIMEOUT_S) as sock, sock.makefile("rb") as replies:
        line = options.line.encode() + b"\n"
        while True:
            sock.sendall(line)
            if replies.readline() != line:
                raise ConnectionError(f"client {number}: another reply than the line")
            waited = time.monotonic() - start
            done[number - 1] += 1
            if not options.seconds:
                with lock:
                    print(f"client {number} answered after {waited * 1000:5.0f} ms", flush=True)
            if waited >= options.seconds:
                break
        time.sleep(options.hold)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("port", type=int)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--clients", type=int, default=4, help="default %(default)s")
    parser.add_argument("--line", default="!sleep=200000 hello", help="what each sends (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=0.0, help="send it again for so long (default: once)")
    parser.add_argument("--hold", type=float, default=0.0, help="then stay connected and silent for so many seconds")
    options = parser.parse_args()
    start, done, lock = time.monotonic(), [0] * options.clients, threading.Lock()
    threads = [
        threading.Thread(target=client, args=(number, options, start, done, lock))
        for number in range(1, options.clients + 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if options.seconds:
        took = time.monotonic() - start - options.hold
        print(f"{sum(done)} replies in {took:.1f} s: {sum(done) / took:,.0f} a second; by client {done}")


if __name__ == "__main__":
    main()
