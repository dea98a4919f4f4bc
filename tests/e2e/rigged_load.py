"""A load whose users stand still for 20 ms after every reply and tell nobody: Little's law finds them out."""

import gevent

from loadtests.record.recorder import Recorder

record_ok = Recorder.ok


def record_and_idle(self, *arguments):
    latency_us = record_ok(self, *arguments)
    gevent.sleep(0.02)
    return latency_us


Recorder.ok = record_and_idle

from loadtests.locustfile import *  # noqa: E402, F403
