"""Tells Locust what happened, a batch at a time, so that its tables and charts stay true."""

from __future__ import annotations

import time
from collections import Counter

from locust.stats import RequestStats, StatsEntry, StatsError

from loadtests.record.counts import Added
from loadtests.record.histogram import representative
from loadtests.replies import EchoError
from loadtests.tuning import three_figures

PERIOD_S = 0.5
"""Whole periods of the wall clock, so that what is fed at once belongs to one second of Locust's charts."""


class Feed:
    """Counts of one run that Locust has not yet been told.

    Locust's event `request` is not fired: calling its listeners for every request costs as much as the request.
    """

    def __init__(self, stats: RequestStats, request_type: str, name: str) -> None:
        self._stats = stats
        self._request_type = request_type
        self._name = name
        self._clear()

    def _clear(self) -> None:
        self._ok = self._bytes = self._total_us = 0
        self._counts: Counter[int] = Counter()
        self._failures: Counter[str] = Counter()
        self._errors: dict[str, EchoError] = {}

    def add(self, added: Added) -> None:
        self._ok += added.ok
        self._bytes += added.bytes
        self._total_us += added.total_us
        self._counts.update(added.counts)

    def failed(self, error: EchoError) -> None:
        self._failures[error.kind] += 1
        self._errors[error.kind] = error

    def next_at(self, now: float) -> float:
        """The end of the period that holds `now`, both of perf_counter."""
        return now + PERIOD_S - time.time() % PERIOD_S

    def flush(self) -> None:
        """Give it to Locust, as its master takes in the report of a worker."""
        failed = self._failures.total()
        if not self._ok and not failed:
            return
        now = time.time()
        # What is flushed at the very end of a period belongs to it.
        second = int(now - PERIOD_S / 2)
        entry = StatsEntry(self._stats, self._name, self._request_type)
        entry.start_time = entry.last_request_timestamp = now
        entry.num_requests = self._ok + failed
        # A failure has no response time, so that quick failures cannot improve Locust's percentiles.
        entry.num_none_requests = entry.num_failures = failed
        entry.total_content_length = self._bytes
        entry.num_reqs_per_sec[second] = entry.num_requests
        if failed:
            entry.num_fail_per_sec[second] = failed
        if self._ok:
            self._fill_times(entry)
        self._stats.entries[(self._name, self._request_type)].extend(entry)
        self._stats.total.extend(entry)
        self._add_errors()
        self._clear()

    def _fill_times(self, entry: StatsEntry) -> None:
        times = entry.response_times
        for index, count in self._counts.items():
            times[three_figures(representative(index) / 1000)] += count  # type: ignore[index]
        entry.total_response_time = self._total_us / 1000  # type: ignore[assignment]
        entry.min_response_time = representative(min(self._counts)) / 1000  # type: ignore[assignment]
        entry.max_response_time = representative(max(self._counts)) / 1000  # type: ignore[assignment]

    def _add_errors(self) -> None:
        for kind, count in self._failures.items():
            error = self._errors[kind]
            key = StatsError.create_key(self._request_type, self._name, error)
            known = self._stats.errors.get(key)
            if known is None:
                known = self._stats.errors[key] = StatsError(self._request_type, self._name, error)
            known.occurred()
            known.occurrences += count - 1
