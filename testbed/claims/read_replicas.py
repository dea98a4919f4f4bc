"""What standbys that answer all reads are worth, beside what reads and writes cost."""

from collections.abc import Sequence

from testbed.claims.claim import Claim, Finding, Row
from testbed.claims.deciding import Unanswered, all_of, answered, chosen, each, ratio, series, within
from testbed.claims.selecting import has
from testbed.claims.sweeps import quick

SWEEP = "sweeps/claims/standbys.yaml"
SHARES = (0.95, 0.5)
STANDBYS = 2


@answered
def _decide(rows: Sequence[Row]) -> Finding:
    alone = {share: _served(rows, 0, share) for share in SHARES}
    return all_of(*(_as_predicted(rows, alone, share) for share in SHARES))


def _served(rows: Sequence[Row], standbys: int, share: float) -> dict[int, float]:
    """Capacity by block. Unanswered where something else than the databases was full."""
    plain = has("behind", "postgres", "commit", value="on")
    these = chosen(rows, has("behind", "postgres", "standbys", value=standbys), plain, reads=share)
    for row in these:
        if row["verdict"] not in ("backend-bound", "invalid"):
            raise Unanswered(f"{row['trial_id']} is {row['verdict']}: the databases were not what was full")
    return series(these, "throughput_rps")


def _as_predicted(rows: Sequence[Row], alone: dict[float, dict[int, float]], share: float) -> Finding:
    found = _served(rows, STANDBYS, share)
    predicted = each(lambda many, half: _capacity(many, half, share), *(alone[one] for one in SHARES))
    what = f"capacity with {share:.0%} reads and {STANDBYS} standbys over that predicted"
    return within(ratio(found, predicted), 0.85, 1.15, what)


def _capacity(many: float, half: float, share: float) -> float:
    """What fills up first: the primary by its writes, or the standbys by their part of the reads. What a read and a
    write cost follows from the capacity without standbys at two shares of reads. Zero where that makes one free."""
    many_reads, half_reads = SHARES
    read = (1 / many * (1 - half_reads) - 1 / half * (1 - many_reads)) / (many_reads - half_reads)
    write = (1 / half - half_reads * read) / (1 - half_reads)
    if read <= 0 or write <= 0:
        return 0.0
    return min(1 / ((1 - share) * write), STANDBYS / (share * read))


CLAIM = Claim(
    name="read-replicas",
    statement="With standbys that answer the reads capacity rises with the share of reads, as their cost predicts.",
    source="PostgreSQL documentation: comparison of different solutions",
    link="https://www.postgresql.org/docs/current/different-replication-solutions.html",
    question="what standbys are worth",
    sweep=SWEEP,
    predicate="What a read and a write cost follows from the capacity of one database at two shares of reads. Holds "
    "where the capacity with two standbys is within 15 % of the least of what the primary can write and the standbys "
    "can read, at both shares; does not hold where the interval of one lies wholly outside. Inconclusive where "
    "anything else than a database was full.",
    decide=_decide,
    quick=quick(SWEEP),
)
