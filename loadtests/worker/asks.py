"""What users ask of what stands behind the server: their requests, and what is known when the answers come.

The verb stands first in a request, before what else the server is to do, so that replies can be told by it. With a
store a request reads or writes; with a broker each is a message.
"""

from __future__ import annotations

import random
from bisect import bisect
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

from loadtests.messages import share_of
from loadtests.mixes import Part
from loadtests.options import Options
from loadtests.record.counts import ECHO, KINDS, READ, SCAN, SEND, VERBS, WORK, WRITE, AskedBatch
from loadtests.replies import EchoError
from loadtests.wire import protocols
from loadtests.wire.http import Http
from loadtests.wire.protocols import Wire
from loadtests.worker import keys, payload
from loadtests.worker.versions import Versions


class Forms(NamedTuple):
    """Requests with places for a key, a version, and the rest."""

    read: bytes
    scan: bytes
    write: bytes
    send: bytes

    @classmethod
    def of(cls, wire: Wire) -> Forms:
        words = (b"read=%d:%d", b"read=all", b"write=%d:%d", b"send=%d:%d")
        return cls(*(wire.form(word) for word in words))


def items(options: Options, worker: int = 0, workers: int = 1) -> Iterator[bytes]:
    """Requests of one worker that get items, with nothing behind the server."""
    form = protocols.of_gets(options.target, options.payload_bytes, options.api_key).item(_words(options))
    return map(form.__mod__, keys.draws(options.keys, options.zipf, f"{_seed(options, worker, workers)}/keys"))


def _words(options: Options) -> list[bytes]:
    return payload.words(options.sleep_us, options.spin_units, options.hash_rounds)


def _seed(options: Options, worker: int, workers: int) -> str:
    return f"{options.seed}/{options.trial_id}/{worker}/{workers}"


def verbs(options: Options) -> tuple[str, ...]:
    """By what the answers of a run are counted: the names of its services where there are several, and what users send
    where not all send the same."""
    if options.spinners:
        return KINDS
    return tuple(part.name for part in options.parts) or VERBS


class Asks:
    """Of one worker's users in one run."""

    def __init__(self, options: Options, worker: int = 0, workers: int = 1) -> None:
        """`options.behind` is not none, or there are several services, or users who do not all send the same."""
        seed = _seed(options, worker, workers)
        self.verbs = verbs(options)
        self.batch = AskedBatch(self.verbs)
        self._options = options
        self._parts = options.parts
        self._working = share_of(options.spinners, worker, workers)
        """How many of the users to come ask for the work, where the others do not: the first."""
        self._forms = Forms.of(protocols.of(options.protocol, options.target, options.api_key))
        self._item = b""
        """Of requests that get items, with places for a key and the key again; empty: there are none."""
        if options.gets:
            of_gets = protocols.of_gets(options.target, options.payload_bytes, options.api_key)
            self._item = of_gets.reading_item(_words(options))
        self._to_broker = options.behind == "broker"
        self._reads, self._scans = options.reads, options.scans
        # Services that read nothing have none.
        count = max(1, options.keys)
        self._versions = Versions(count, worker, workers)
        self._draw = keys.draws(count, options.zipf, f"{seed}/keys").__next__
        self._random = random.Random(f"{seed}/verbs").random

    @property
    def sends_whole(self) -> bool:
        """Whether requests have no verb before them: a user's are all alike."""
        return bool(self._options.spinners)

    @property
    def words(self) -> list[bytes]:
        """What the next user's requests ask of the server besides. Of services that stands in their own forms."""
        if self._parts or (self.sends_whole and not self._working):
            return []
        return _words(self._options)

    def user(self, lines: Iterator[bytes]) -> UserAsks:
        """One more user, who puts a verb before each of these rests of requests, or sends them as they are."""
        if self.sends_whole:
            verb = WORK if self._working else ECHO
            self._working = max(0, self._working - 1)
            return Alike(lines, verb, self._forms, self._versions, self._draw)
        if self._parts:
            return Services(lines, self._parts, self._forms, self._versions, self._draw, self._random)
        if self._item:
            return Items(lines, self._item, self._forms, self._versions, self._draw)
        if self._to_broker:
            return Messages(lines, self._forms, self._versions, self._draw)
        return Queries(lines, self._forms, self._versions, self._draw, self._random, self._reads, self._scans)


class UserAsks:
    """The requests of one user, who has one request under way at most and tells how it went before the next."""

    __slots__ = ("_draw", "_forms", "_key", "_lines", "_version", "_versions", "is_checked", "verb")

    def __init__(self, lines: Iterator[bytes], forms: Forms, versions: Versions, draw: keys.Draw) -> None:
        self._lines = lines
        self._forms = forms
        self._versions = versions
        self._draw = draw
        self._key = self._version = 0
        self.verb = ""
        """Of the request under way, or of the last one."""
        self.is_checked = False
        """It is a read that asks for a version, because this worker has written one."""

    def __iter__(self) -> UserAsks:
        return self

    def __next__(self) -> bytes:
        raise NotImplementedError

    def answered(self) -> None:
        """By its echo, or as stale."""
        if self.verb == WRITE:
            self._versions.written(self._key, self._version)

    def failed(self, error: EchoError) -> None:
        if self.verb == WRITE:
            if error.is_undone:
                self._versions.not_written(self._key)
            else:
                self._versions.maybe_written(self._key)

    def left(self) -> None:
        """The user is gone with a request under way."""
        if self.verb == WRITE:
            self._versions.maybe_written(self._key)


class Alike(UserAsks):
    """Each request is of the same kind: with the work, or a bare echo beside it."""

    __slots__ = ()

    def __init__(self, lines: Iterator[bytes], verb: str, forms: Forms, versions: Versions, draw: keys.Draw) -> None:
        super().__init__(lines, forms, versions, draw)
        self.verb = verb

    def __next__(self) -> bytes:
        return next(self._lines)


class Items(UserAsks):
    """Each request gets an item, whose value is read in a store. Nobody writes, so no version is asked for."""

    __slots__ = ("_item",)

    def __init__(self, lines: Iterator[bytes], item: bytes, forms: Forms, versions: Versions, draw: keys.Draw) -> None:
        super().__init__(lines, forms, versions, draw)
        self._item = item

    def __next__(self) -> bytes:
        self.verb, key = READ, self._draw()
        return self._item % (key, key)


class Services(UserAsks):
    """Each request goes to one of several services, drawn by its share. What is read was written by nobody here."""

    __slots__ = ("_paths", "_random", "_shares", "_total")

    def __init__(
        self,
        lines: Iterator[bytes],
        parts: Sequence[Part],
        forms: Forms,
        versions: Versions,
        draw: keys.Draw,
        uniform: keys.Uniform,
    ) -> None:
        super().__init__(lines, forms, versions, draw)
        reading = (b"read=%d:0",)
        self._paths = [
            (part.name, Http.to(part.name, (*(reading if part.reads else ()), *part.words)), part.reads)
            for part in parts
        ]
        *self._shares, self._total = accumulate(part.share for part in parts)
        self._random = uniform

    def __next__(self) -> bytes:
        rest = next(self._lines)
        self.verb, form, reads = self._paths[bisect(self._shares, self._random() * self._total)]
        return form % (self._draw(), rest) if reads else form % rest


class Messages(UserAsks):
    """Each request is a message, and no two are the same."""

    __slots__ = ()

    def __next__(self) -> bytes:
        self.verb = SEND
        return self._forms.send % (self._draw(), self._versions.of_message(), next(self._lines))


class Queries(UserAsks):
    """Reads and writes."""

    __slots__ = ("_confirmed", "_random", "_reads", "_scans")

    def __init__(
        self,
        lines: Iterator[bytes],
        forms: Forms,
        versions: Versions,
        draw: keys.Draw,
        uniform: keys.Uniform,
        reads: float,
        scans: float,
    ) -> None:
        """`reads`: share of requests; `scans`: share of reads."""
        super().__init__(lines, forms, versions, draw)
        self._confirmed = versions.confirmed
        self._random = uniform
        self._reads, self._scans = reads, scans

    def __next__(self) -> bytes:
        rest = next(self._lines)
        self.is_checked = False
        # With more users than keys of its own a worker has at times none to write.
        if self._random() >= self._reads and (key := self._versions.to_write(self._draw(), self._draw)) is not None:
            self.verb, self._key, self._version = WRITE, key, self._versions.next()
            return self._forms.write % (key, self._version, rest)
        if self._scans and self._random() < self._scans:
            self.verb = SCAN
            return self._forms.scan % rest
        self.verb, key = READ, self._draw()
        least = self._confirmed.get(key, 0)
        self.is_checked = least > 0
        return self._forms.read % (key, least, rest)
