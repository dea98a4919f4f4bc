"""What one run was asked for, checked, as the master and the workers have it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from loadtests import mixes, profiles

# A million took 0.7 s on a quiet core, and 2.8 on a busy one.
_TABLE_S_PER_KEY = 4e-6


@dataclass(frozen=True)
class Options:
    """Checked options of one run."""

    target: str
    protocol: str
    method: str
    mode: str
    connection: str
    payload_bytes: int
    think_ms: float
    rate: float
    load_profile: str
    """Empty: the rate does not change."""
    arrivals: str
    engine: str
    precise: bool
    dns: str
    idle_holders: int
    sleep_us: int
    spin_us: int
    hash_us: int
    spin_units: int
    """What `spin_us` comes to on the target (calibrate.in_units), or what was asked for in its place."""
    hash_rounds: int
    spinners: int
    """0: all users ask for the work."""
    behind: str
    services: str
    """Empty: there is one, and no path to it."""
    api_key: str
    keys: int
    zipf: float
    reads: float
    scans: float
    warmup_s: float
    window_s: float
    reply_timeout_s: float
    stop_grace_s: float
    seed: int
    trial_id: str

    @property
    def open_loop(self) -> bool:
        return self.mode == "open"

    @property
    def preparation_s(self) -> float:
        """What a worker may take to get ready, so that nobody begins before: a table of all keys for Zipf's law."""
        return self.keys * _TABLE_S_PER_KEY if self.zipf else 0.0

    @property
    def gets(self) -> bool:
        """Whether requests are GETs of items, which a cache may answer."""
        return self.method == "get"

    @property
    def parts(self) -> tuple[mixes.Part, ...]:
        """What goes to each service; empty: there is one."""
        return mixes.parse(self.services)

    @property
    def writes(self) -> bool:
        """Whether requests may write to a store."""
        return self.behind == "store" and self.reads < 1 and not self.services

    @property
    def profile(self) -> profiles.Profile | None:
        """None: the rate does not change."""
        return profiles.parse(self.load_profile) if self.load_profile else None

    @property
    def requests_per_connection(self) -> int | None:
        """None: the connection is kept for good."""
        if self.connection == "persistent":
            return None
        return 1 if self.connection == "per-request" else int(self.connection)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
