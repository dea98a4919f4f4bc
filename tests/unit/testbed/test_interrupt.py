"""One Ctrl-C ends the work; the next ones do not end the tidying up."""

import os
import signal

import pytest

from testbed.interrupt import SIGNALS, deferred, interruptible, undisturbed


@pytest.mark.parametrize("number", SIGNALS)
def test_each_signal_ends_the_work_and_a_second_is_ignored(number: signal.Signals) -> None:
    before = [signal.getsignal(each) for each in SIGNALS]
    tidied = False
    with interruptible():
        try:
            os.kill(os.getpid(), number)
            pytest.fail("the signal did not interrupt")
        except KeyboardInterrupt:
            os.kill(os.getpid(), number)
            tidied = True
    assert tidied
    assert [signal.getsignal(each) for each in SIGNALS] == before


def test_undisturbed_work_ignores_even_the_first_signal() -> None:
    with interruptible():
        with undisturbed():
            os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_an_interrupt_waits_until_what_was_started_has_a_name() -> None:
    started = ""
    with interruptible(), pytest.raises(KeyboardInterrupt):
        with deferred():
            os.kill(os.getpid(), signal.SIGINT)
            started = "named"
        pytest.fail("the interrupt was lost")
    assert started == "named"
    with interruptible(), deferred():
        pass
