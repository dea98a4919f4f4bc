"""What a front is told, and the one line for what it cannot be told."""

import pytest

from fronts.settings import SettingsError, check_files, read, write


def test_names_are_enough() -> None:
    settings = read({"SERVERS": "  spmt-1 spmt-2 ", "SPARE_SERVERS": "", "BALANCE": ""})
    assert settings.servers == ("spmt-1", "spmt-2")
    assert (settings.spare, settings.dns, settings.balance) == ((), "", "roundrobin")
    assert (settings.server_connections, settings.threads, settings.backlog) == (0, 1, 1024)


def test_all_of_it_can_be_said() -> None:
    told = {"SERVERS": "a", "SPARE_SERVERS": "b c", "BALANCE": "leastconn", "SERVER_MAXCONN": "4", "THREADS": "2"}
    settings = read(told | {"MAXCONN": "100", "BACKLOG": "9", "SERVER_PORT": "8082"})
    assert settings.spare == ("b", "c")
    assert (settings.balance, settings.server_connections, settings.threads) == ("leastconn", 4, 2)
    assert (settings.connections, settings.backlog, settings.server_port) == (100, 9, 8082)


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({}, "SERVERS='', SERVERS_DNS='': one of them must be set"),
        ({"SERVERS": "a", "SERVERS_DNS": "b"}, "SERVERS='a', SERVERS_DNS='b': one of them must be set"),
        ({"SERVERS_DNS": "a b"}, "SERVERS='', SERVERS_DNS='a b': one of them must be set"),
        ({"SERVERS": "a b a"}, "SERVERS, SPARE_SERVERS: a is there twice"),
        ({"SERVERS": "a", "SPARE_SERVERS": "a"}, "SERVERS, SPARE_SERVERS: a is there twice"),
        ({"SERVERS": "a;daemon"}, "SERVERS: 'a;daemon' must be a host name"),
        ({"SERVERS": "-a"}, "SERVERS: '-a' must be a host name"),
        ({"SERVERS": "a", "BALANCE": "random"}, "BALANCE='random': must be roundrobin, leastconn or source"),
        ({"SERVERS": "a", "THREADS": "0"}, "THREADS='0': must be a whole number from 1 to 64"),
        ({"SERVERS": "a", "MAXCONN": "9" * 10}, "MAXCONN='9999999999': must be a whole number from 1 to 100000"),
        ({"SERVERS": "a", "SERVER_MAXCONN": "-1"}, "SERVER_MAXCONN='-1': must be a whole number from 0 to 100000"),
    ],
)
def test_what_is_not_allowed_gets_one_line(environment: dict[str, str], says: str) -> None:
    with pytest.raises(SettingsError) as error:
        read(environment)
    (line,) = str(error.value).splitlines()
    assert line.startswith(says)


def test_more_connections_than_files_would_be_a_ceiling_nobody_sees() -> None:
    check_files(9_936, 20_000)
    check_files(10**6, -1)
    with pytest.raises(SettingsError, match=r"MAXCONN=9937: needs 20002 open files, .* limit is 20000: .* most 9936"):
        check_files(9_937, 20_000)


def test_a_mistake_is_a_line_and_an_exit_code_and_no_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    assert write("haproxy", lambda settings: f"for {settings.servers}\n", {"SERVERS": "a"}) == 0
    assert capsys.readouterr().out == "for ('a',)\n"
    assert write("haproxy", lambda _: "never", {"SERVERS": "a", "SLOTS": "x"}) == 2
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "haproxy: SLOTS='x': must be a whole number from 1 to 256\n")
