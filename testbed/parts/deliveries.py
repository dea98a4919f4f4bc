"""What became of messages, by the notes of those who took them and the count of those who sent them. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Deliveries:
    """Of a whole trial, its warm-up and checks included. None: not known."""

    sent: int | None
    """Messages that the broker had confirmed to who sent them."""
    done: int
    """Notes of consumers: a message that was done twice has two."""
    distinct: int
    """Messages that were done. Where each subscriber gets every message: that at least one of them got."""
    repeated: int
    """Notes beyond the first that a message has; of subscribers, beyond the first of each of them."""
    lost: int | None
    """Of those that were sent, deliveries that did not come: to nobody, or, where each subscriber is to get every
    message, to one of them. Not known where a message was sent whose outcome nobody knows: one that was taken would
    make up for one that was lost."""
    late: int | None = 0
    """Messages that the broker still had, or a consumer had not acknowledged, when the trial was over."""


def account(
    notes: Sequence[Sequence[str]], sent: int | None, unsure: int | None, late: int | None, fans_out: bool
) -> Deliveries:
    """`notes`: of each consumer the messages it has done, in its order. `sent`: confirmed messages; `unsure`: those
    that were sent without an answer. `fans_out`: whether each of them was to get every one."""
    of_each = [Counter(one) for one in notes]
    distinct = len(set().union(*of_each)) if of_each else 0
    done = sum(count.total() for count in of_each)
    if fans_out:
        came = sum(len(count) for count in of_each)
        wanted = None if sent is None else sent * len(of_each)
        at_most = None if unsure is None else unsure * len(of_each)
        return Deliveries(sent, done, distinct, done - came, _lost(wanted, at_most, 0, came), late)
    return Deliveries(sent, done, distinct, done - distinct, _lost(sent, unsure, late, distinct), late)


def _lost(wanted: int | None, unsure: int | None, late: int | None, came: int) -> int | None:
    if wanted is None or unsure is None or late is None:
        return None
    if unsure == 0:
        return max(0, wanted - came - late)
    # Every one came, also those of which nobody knew.
    return 0 if came == wanted + unsure else None
