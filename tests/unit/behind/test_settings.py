"""What all parts are told alike, and the one line for what they cannot be told."""

from collections.abc import Callable

import pytest

from behind import settings
from behind.settings import SettingsError

PASSWORD = {"BEHIND_PASSWORD": "a-password_1"}


def test_a_password_is_enough() -> None:
    assert settings.common(PASSWORD) == settings.Common("a-password_1", 1.0, 134_217_728)


def test_all_of_it_can_be_said() -> None:
    told = {**PASSWORD, "CPUS": "0.25", "MEMORY_BYTES": "67108864"}
    assert settings.common(told) == settings.Common("a-password_1", 0.25, 67_108_864)


def test_what_is_empty_counts_as_not_set() -> None:
    assert settings.given({"A": " ", "B": " b "}) == {"B": "b"}


@pytest.mark.parametrize(
    ("read", "says"),
    [
        (lambda: settings.common({}), "BEHIND_PASSWORD: missing; must be 8 to 128 letters"),
        (lambda: settings.common({"BEHIND_PASSWORD": "it's a secret"}), "BEHIND_PASSWORD: not one; must be 8 to 128"),
        (lambda: settings.common({**PASSWORD, "CPUS": "0"}), "CPUS='0': must be a number from 0.01 to 1024"),
        (lambda: settings.common({**PASSWORD, "CPUS": "nan"}), "CPUS='nan': must be a number"),
        (lambda: settings.common({**PASSWORD, "CPUS": "half"}), "CPUS='half': must be a number"),
        (lambda: settings.common({**PASSWORD, "MEMORY_BYTES": "1"}), "MEMORY_BYTES='1': must be a whole number from"),
        (lambda: settings.whole({"A": "9" * 19}, "A", 1, 1, 2), "A='9999999999999999999': must be a whole number"),
        (lambda: settings.whole({"A": "٣"}, "A", 1, 1, 9), "A='٣': must be a whole number from 1 to 9"),
        (lambda: settings.names({"A": "a;b"}, "A"), "A: 'a;b' must be a host name"),
        (lambda: settings.names({"A": "a b a"}, "A"), "A: a is there twice"),
        (lambda: settings.host({}, "A"), "A='': must be one host name"),
        (lambda: settings.host({"A": "a b"}, "A"), "A='a b': must be one host name"),
        (lambda: settings.one_of({"A": "c"}, "A", "a", ("a", "b")), "A='c': must be a or b"),
    ],
)
def test_what_is_not_allowed_gets_one_line(read: Callable[[], object], says: str) -> None:
    with pytest.raises(SettingsError) as error:
        read()
    (line,) = str(error.value).splitlines()
    assert line.startswith(says)
    assert "secret" not in line


def test_a_mistake_is_a_line_and_an_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    def body() -> None:
        settings.host({}, "PRIMARY")

    assert settings.run("postgres", body) == 2
    said = capsys.readouterr()
    assert (said.out, said.err) == ("", "postgres: PRIMARY='': must be one host name\n")
    assert settings.run("postgres", lambda: None) == 0
