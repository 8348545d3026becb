"""Compressed bodies: what went in comes out, and bombs stop at the limit."""

from __future__ import annotations

import gzip
import tracemalloc

import pytest
import zstandard

from agents.protocol.compression import BadEncoding, TooLarge, deflate, inflate

BODY = b"portcullis " * 5_000


@pytest.mark.parametrize("encoding", ["zstd", "gzip", "identity", "", "ZSTD", " gzip "])
def test_round_trip(encoding: str) -> None:
    assert inflate(deflate(BODY, encoding.strip().lower()), encoding) == BODY


@pytest.mark.parametrize("encoding", ["zstd", "gzip"])
def test_the_same_body_gives_the_same_bytes(encoding: str) -> None:
    assert deflate(BODY, encoding) == deflate(BODY, encoding)


@pytest.mark.parametrize("encoding", ["zstd", "gzip", "identity"])
def test_the_limit_is_exact(encoding: str) -> None:
    packed = deflate(BODY, encoding)
    assert inflate(packed, encoding, len(BODY)) == BODY
    with pytest.raises(TooLarge):
        inflate(packed, encoding, len(BODY) - 1)


@pytest.mark.parametrize("encoding", ["zstd", "gzip"])
def test_a_bomb_of_half_a_gigabyte_costs_little_memory(encoding: str) -> None:
    zeros = bytes(1 << 20)
    if encoding == "zstd":
        writer = zstandard.ZstdCompressor(level=19).compressobj()
        bomb = b"".join(writer.compress(zeros) for _ in range(512)) + writer.flush()
    else:
        bomb = gzip.compress(bytes(512 << 20), 1)
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            inflate(bomb, encoding)
        assert tracemalloc.get_traced_memory()[1] < 50 << 20
    finally:
        tracemalloc.stop()


def test_a_huge_window_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=27)
    writer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    with pytest.raises(BadEncoding):
        inflate(writer.compress(BODY) + writer.flush(), "zstd")


@pytest.mark.parametrize("encoding", ["zstd", "gzip"])
def test_cut_damaged_or_followed_by_more(encoding: str) -> None:
    packed = deflate(BODY, encoding)
    for bad in (packed[:-5], b"", b"\x00" * 20, packed + b"x", packed + packed):
        with pytest.raises(BadEncoding):
            inflate(bad, encoding)


def test_encodings_that_are_unknown_or_nested() -> None:
    for encoding in ("br", "gzip, gzip", "deflate", "x" * 1000):
        with pytest.raises(BadEncoding):
            inflate(BODY, encoding)
    with pytest.raises(BadEncoding):
        deflate(BODY, "br")
