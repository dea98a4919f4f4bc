"""What `orchestrate.py doctor` says besides of what is installed."""

from testbed.claims.catalogue import CLAIMS
from testbed.commands.doctor import claims


def test_it_says_which_claims_a_machine_of_so_many_processors_can_decide() -> None:
    few = claims(2)
    lacking = [name for name, claim in CLAIMS.items() if claim.processors > 2]
    assert lacking and not few.ok and not few.required
    assert few.found.startswith(f"{len(CLAIMS) - len(lacking)} of {len(CLAIMS)} can be decided here; 3 processors are")
    assert all(name in few.found for name in lacking)
    many = claims(64)
    assert many.ok and many.found == f"{len(CLAIMS)} of {len(CLAIMS)} can be decided here"
