"""The messages of a trial with a broker: waiting until they are taken, and accounting for each of them."""

import time
from dataclasses import dataclass
from pathlib import Path

from testbed.parts import behind, deliveries
from testbed.parts.deliveries import Deliveries
from testbed.parts.standing import Standing
from testbed.plan.behind import Behind
from testbed.results.behind_counts import Reports, sent, unsure

# How long consumers may take for what is left once the load has ended: more than a broker waits before it gives a task
# whose consumer has died to another.
TIMEOUT_S = 15.0
# A broker's page can be as old; consumers that note nothing for so long have nothing left.
QUIET_S = 1.5
_INTERVAL_S = 0.1


@dataclass
class Messages:
    """Of one trial. `notes`: the files in which its consumers note what they have done."""

    fans_out: bool
    notes: tuple[Path, ...]
    standing: Standing
    late: int | None = None

    @classmethod
    def of(cls, stands: Behind, trial_id: str, standing: Standing, directory: Path) -> "Messages | None":
        """None where nothing is sent. `directory`: where consumers write."""
        if stands.kind != "broker":
            return None
        names = behind.consumers(stands.part)
        files = tuple(directory / behind.delivered_file(trial_id, name) for name in names)
        return cls(stands.fans_out, files, standing)

    def wait_until_taken(self) -> None:
        """Until the broker has nothing left and no consumer notes anything more; TIMEOUT_S at most."""
        if not self.notes:
            self.late = self._left()
            return
        now = began = changed = time.monotonic()
        written = self._written()
        while now - began < TIMEOUT_S:
            time.sleep(_INTERVAL_S)
            now, before, written = time.monotonic(), written, self._written()
            if written != before:
                changed = now
            elif now - changed >= QUIET_S and (self.fans_out or self._left() == 0):
                break
        self.late = self._left()

    def _left(self) -> int | None:
        # Without a queue nothing is kept for anybody.
        return 0 if self.fans_out else self.standing.left()

    def _written(self) -> int:
        return sum(file.stat().st_size for file in self.notes if file.exists())

    def account(self, reports: Reports) -> Deliveries:
        """What became of the messages, once servers and consumers have ended. `reports`: of the servers."""
        # A line that was cut off by a kill was never acknowledged.
        texts = [file.read_text(encoding="ascii") if file.exists() else "" for file in self.notes]
        notes = [text[: text.rfind("\n") + 1].splitlines() for text in texts]
        return deliveries.account(notes, sent(reports), unsure(reports), self.late, self.fans_out)
