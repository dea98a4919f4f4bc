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
    message, to one of them. One whose confirmation did not come back may have been taken all the same, so that there
    can be more done than sent: that is none lost, and those that are hide nothing."""


def account(notes: Sequence[Sequence[str]], sent: int | None, fans_out: bool) -> Deliveries:
    """`notes`: of each consumer the messages it has done, in its order. `sent`: confirmed messages. `fans_out`: whether
    each of them was to get every one."""
    of_each = [Counter(one) for one in notes]
    distinct = len(set().union(*of_each)) if of_each else 0
    done = sum(count.total() for count in of_each)
    if fans_out:
        came = sum(len(count) for count in of_each)
        wanted = None if sent is None else sent * len(of_each)
        return Deliveries(sent, done, distinct, done - came, None if wanted is None else max(0, wanted - came))
    lost = None if sent is None else max(0, sent - distinct)
    return Deliveries(sent, done, distinct, done - distinct, lost)
