"""Time that a hypervisor took away: every processor's `steal` in /proc/stat, which is the whole machine's."""

from pathlib import Path

# user, nice, system, idle, iowait, irq, softirq, steal. What follows, guests' time, is part of user and nice.
_STEAL, _FIELDS = 7, 8


def parse(text: str) -> dict[str, tuple[int, int]] | None:
    """Ticks stolen and ticks in all since boot, by processor; None where the kernel has no such column."""
    found: dict[str, tuple[int, int]] = {}
    for line in text.splitlines():
        name, *fields = line.split()
        if name.startswith("cpu") and name != "cpu" and len(fields) >= _FIELDS:
            ticks = [int(field) for field in fields[:_FIELDS]]
            found[name.removeprefix("cpu")] = (ticks[_STEAL], sum(ticks))
    return found or None


def read(proc: Path = Path("/proc")) -> dict[str, dict[str, tuple[int, int]] | None]:
    """The reading at an edge of a window; `processor_ticks` is None where it is not known."""
    try:
        text = (proc / "stat").read_text()
    except OSError:
        return {"processor_ticks": None}
    return {"processor_ticks": parse(text)}
