"""HTTP/1.1 as every model speaks it: real processes, clients that know nothing of this project, and hostile ones."""

import http.client
import random
import shutil
import socket
import subprocess

import psutil
import pytest

from servers.models import SERVERS
from tests.integration.servers.running import Client, Running, server
from tests.integration.servers.suite import skip_sequential
from tests.waiting import wait_until

pytestmark = [pytest.mark.timeout(60), pytest.mark.parametrize("model", SERVERS)]

HTTP = {"FACE": "http"}
GET = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n%s"
HOSTILE = (
    b"hello\n",
    b"GET / HTTP/1.1\nHost: a\n\n",
    b"GET / HTTP/1.1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n" + b"a: b\r\n" * 10_000 + b"\r\n",
    b"GET /" + b"a" * 100_000,
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999\r\n\r\n",
)


def read(client: Client) -> tuple[int, dict[str, str], bytes]:
    """One reply with a body."""
    status = int(client.line().split(b" ")[1])
    headers = {}
    while (line := client.line()) != b"\r\n":
        name, _, value = line.decode().strip().partition(": ")
        headers[name] = value
    return status, headers, client.read(int(headers.get("Content-Length", 0)))


def test_whole_split_and_pipelined_requests_are_answered_in_order_and_counted(model: str) -> None:
    with server(model, **HTTP) as running, running.connect() as client:
        for byte in POST % (b"/", 5, b"hello"):
            client.send(bytes([byte]))
        assert read(client)[2] == b"hello"
        asked = [GET % 1, POST % (b"/?sleep=1000", 3, b"two"), POST % (b"/?nonsense=1", 1, b"x"), GET % 4]
        client.send(b"".join(asked) + b"GET /5 HT")
        found = [read(client) for _ in asked]
        assert [status for status, _, _ in found] == [200, 200, 400, 200]
        assert [body for status, _, body in found if status == 200] == [b"/1\n", b"two", b"/4\n"]
        client.send(b"TP/1.1\r\nHost: a\r\n\r\n")
        assert read(client)[2] == b"/5\n"
        client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n")
        assert read(client)[2] == b"abcd"
        client.close()
        running.stop()
        assert running.totals() == {"accepted": 1, "served": 6, "refused": 0, "errors": 1}


def test_a_client_that_no_one_here_wrote_keeps_its_connection(model: str) -> None:
    with server(model, CACHE_CONTROL="max-age=3", **HTTP) as running:
        client = http.client.HTTPConnection("127.0.0.1", running.port, timeout=10)
        for size in (0, 1, 1_000, 131_072):
            body = random.Random(size).randbytes(size)
            client.request("POST", "/anywhere", body)
            reply = client.getresponse()
            assert (reply.status, reply.read()) == (200, body)
            client.request("GET", f"/items/7?size={size}")
            reply = client.getresponse()
            assert (reply.status, len(reply.read()), reply.headers["Cache-Control"]) == (200, size, "max-age=3")
        client.request("HEAD", "/?size=131072")
        reply = client.getresponse()
        assert (reply.status, reply.read(), reply.headers["Content-Length"]) == (200, b"", "131072")
        client.request("DELETE", "/")
        assert client.getresponse().status == 405
        client.close()
        running.stop()
        assert running.totals()["accepted"] == 1


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
def test_curl(model: str) -> None:
    with server(model, **HTTP) as running:
        url = f"http://127.0.0.1:{running.port}/some/path"
        common = [
            "curl",
            "--silent",
            "--show-error",
            "--max-time",
            "10",
            "--write-out",
            " %{http_code} %{num_connects}",
        ]
        got = subprocess.run([*common, f"{url}?size=4", f"{url}?size=6"], capture_output=True, text=True, check=True)
        assert got.stdout == "/som 200 1/some/ 200 0"
        told = ["--header", "Expect: 100-continue", "--header", "Transfer-Encoding: chunked", "--data", "hello"]
        posted = subprocess.run([*common, *told, url], capture_output=True, text=True, check=True)
        assert posted.stdout == "hello 200 1"
        old = subprocess.run([*common, "--http1.0", url], capture_output=True, text=True, check=True)
        assert old.stdout == "/some/path\n 200 1"


def test_what_ends_a_connection_ends_it_and_no_other(model: str) -> None:
    with server(model, **HTTP) as running:
        for hostile in HOSTILE:
            with running.connect() as client:
                client.send(GET % 1 + hostile)
                assert read(client)[0] == 200
                status, headers, _ = read(client)
                assert status in (400, 413, 431)
                assert headers["Connection"] == "close"
                assert client.at_end()
        with running.connect() as client:
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + GET % 1)
            assert read(client)[1]["Connection"] == "close"
            assert client.at_end()
        running.stop()
        assert running.totals() == {
            "accepted": len(HOSTILE) + 1,
            "served": len(HOSTILE) + 1,
            "refused": 0,
            "errors": len(HOSTILE),
        }


@pytest.mark.parametrize("begun", [b"GET / HTT", POST[:-2] % (b"/", 5), b""], ids=["head", "body", "nothing"])
def test_a_request_that_never_ends_is_given_up_and_waiting_for_one_is_not(model: str, begun: bytes) -> None:
    with server(model, REQUEST_TIMEOUT="1", **HTTP) as running, running.connect() as client:
        client.send(GET % 1)
        assert read(client)[0] == 200
        client.send(begun)
        if begun:
            assert read(client)[0] == 408
            assert client.at_end()
        else:
            client.sock.settimeout(1.5)
            with pytest.raises(TimeoutError):
                client.sock.recv(1)
            client.sock.settimeout(10)
            client.send(GET % 2)
            assert client.sock.recv(1_000).startswith(b"HTTP/1.1 200 ")


def test_a_request_that_has_begun_is_not_late_while_the_one_before_it_is_worked_on(model: str) -> None:
    with server(model, REQUEST_TIMEOUT="1", **HTTP) as running, running.connect() as client:
        client.send(POST % (b"/?sleep=1500000", 1, b"x") + b"GET /2 HT")
        assert read(client)[2] == b"x"
        client.send(b"TP/1.1\r\nHost: a\r\n\r\n")
        assert read(client)[2] == b"/2\n"


def test_who_is_one_too_many_is_told_so(model: str) -> None:
    skip_sequential(model)
    with server(model, MAX_CONNECTIONS="1", **HTTP) as running, running.connect() as first:
        first.send(GET % 1)
        assert read(first)[0] == 200

        def turned_away() -> bool:
            with running.connect() as second:
                status, headers, _ = read(second)
                return (status, headers["Connection"]) == (503, "close")

        assert turned_away()


def test_a_request_under_way_is_answered_before_the_end(model: str) -> None:
    with server(model, **HTTP) as running, running.connect() as client:
        client.send(POST % (b"/?sleep=300000", 1, b"x"))
        wait_until(lambda: accepted_by(running), "the request to be taken")
        assert running.stop() == 0
        assert read(client)[2] == b"x"
        assert client.at_end()
        assert running.totals()["served"] == 1


def accepted_by(running: Running) -> bool:
    """Whether a connection is served: nothing of it is left to be read by the server."""
    ours = {pid.pid for pid in [psutil.Process(running.pid), *running.children()]}
    return any(
        one.status == psutil.CONN_ESTABLISHED and one.pid in ours and one.laddr.port == running.port
        for one in psutil.net_connections("tcp")
    )


def test_hundreds_of_broken_requests_cost_no_process_and_no_memory(model: str) -> None:
    generator = random.Random(7)
    whole = (GET % 1, POST % (b"/?sleep=1", 5, b"hello"), *HOSTILE[3:6])
    with server(model, REQUEST_TIMEOUT="1", **HTTP) as running:
        family = {psutil.Process(running.pid), *running.children()}

        def attack(times: int) -> None:
            for _ in range(times):
                broken = bytearray(generator.choice(whole))
                for _ in range(generator.randint(1, 4)):
                    broken[generator.randrange(len(broken))] = generator.randrange(256)
                with running.connect() as client:
                    client.send(bytes(broken))
                    client.sock.shutdown(socket.SHUT_WR)
                    while client.sock.recv(65_536):
                        pass

        def memory() -> int:
            return sum(one.memory_info().rss for one in family)

        attack(50)
        before = memory()
        attack(250)
        assert memory() - before < 4 << 20
        assert {psutil.Process(running.pid), *running.children()} >= family
        with running.connect() as client:
            client.send(GET % 1)
            assert read(client)[0] == 200
