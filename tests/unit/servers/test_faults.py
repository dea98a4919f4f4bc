import pytest

from servers import faults


@pytest.mark.parametrize(
    "request_line", [b"!crash=lie abc\n", b"!crash=lie ?\r\n", b"!crash=lie \x0b\n", b"!crash=lie\n"]
)
def test_a_lie_is_another_line_of_the_same_length(request_line: bytes) -> None:
    lie = faults.commit("lie", request_line)
    assert len(lie) == len(request_line)
    assert sum(a != b for a, b in zip(lie, request_line, strict=True)) == 1
    assert lie.count(b"\n") == 1 and lie.endswith(b"\n")


def test_filling_memory_stops_at_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faults, "OOM_BYTES", 3 << 20)
    with pytest.raises(faults.AskedForError, match="3 MiB were to be had"):
        faults.commit("oom", b"!crash=oom\n")
