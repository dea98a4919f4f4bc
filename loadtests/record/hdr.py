"""Histograms in the exchange format of HdrHistogram, version 2, so that its tools read them.

The layout of `histogram.Histogram` is HdrHistogram's for two significant decimal digits (256 sub-buckets), so counts
are written as they are. Format: AbstractHistogram.encodeIntoByteBuffer and ZigZagEncoding of
https://github.com/HdrHistogram/HdrHistogram.
"""

from __future__ import annotations

import base64
import struct
import zlib

from loadtests.record.histogram import Histogram, lower_edge

_COOKIE = 0x1C849303 | 0x10
_COMPRESSED_COOKIE = 0x1C849304 | 0x10
"""The 0x10 says that counts are written in as few bytes as they need."""

_SIGNIFICANT_DIGITS = 2
_LOWEST = 1
_LEAST_HIGHEST = 512
"""The library wants a range of at least two powers of two."""


def encode(histogram: Histogram) -> str:
    """Version 2, compressed, base64: what a line of an HdrHistogram log holds."""
    counts = _counts(histogram)
    last = max(histogram.counts, default=0)
    highest = max(_LEAST_HIGHEST, lower_edge(last + 1) - 1)
    header = struct.pack(">iiiiqqd", _COOKIE, len(counts), 0, _SIGNIFICANT_DIGITS, _LOWEST, highest, 1.0)
    packed = zlib.compress(header + counts)
    return base64.b64encode(struct.pack(">ii", _COMPRESSED_COOKIE, len(packed)) + packed).decode()


def _counts(histogram: Histogram) -> bytes:
    """Counts in the order of buckets; a run of empty buckets is its length, negative."""
    written = bytearray()
    following = 0
    for index in sorted(histogram.counts):
        if index > following:
            written += _zigzag(following - index)
        written += _zigzag(histogram.counts[index])
        following = index + 1
    return bytes(written)


def _zigzag(value: int) -> bytes:
    """A signed number of 64 bits, small absolute values in few bytes: ZigZag, then LEB128 of at most nine bytes."""
    left = (value << 1 ^ value >> 63) & 0xFFFF_FFFF_FFFF_FFFF
    written = bytearray()
    while left > 0x7F and len(written) < 8:
        written.append(left & 0x7F | 0x80)
        left >>= 7
    written.append(left)
    return bytes(written)
