"""The window file: none yet, a window, or one clear line about what is wrong with it."""

from pathlib import Path

import pytest

from probe.window import BadWindow, Window, parse, read


def test_the_window_is_what_the_file_says(tmp_path: Path) -> None:
    file = tmp_path / "t.window.json"
    assert read(file) is None
    file.write_text("")
    assert read(file) is None
    file.write_text('{"opens_unix": 1000, "closes_unix": 1002.5}')
    assert read(file) == Window(1000.0, 1002.5)


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "[]",
        "7",
        '{"opens_unix": 1}',
        '{"opens_unix": "1", "closes_unix": 2}',
        '{"opens_unix": true, "closes_unix": 2}',
        '{"opens_unix": 2, "closes_unix": 2}',
        '{"opens_unix": NaN, "closes_unix": 2}',
        '{"opens_unix": 1, "closes_unix": Infinity}',
        "[" * 1000,
    ],
)
def test_a_file_that_names_no_window_is_refused_with_one_line(text: str, tmp_path: Path) -> None:
    with pytest.raises(BadWindow, match=r"found .*allowed"):
        parse(text)
    file = tmp_path / "t.window.json"
    file.write_text(text)
    with pytest.raises(BadWindow) as error:
        read(file)
    assert str(error.value).startswith(f"{file}: ")
    assert len(str(error.value).splitlines()) == 1
