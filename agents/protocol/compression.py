"""Bodies that travel compressed: inflated piece by piece, and never past a limit."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import Literal

import zstandard

from agents.protocol.messages import MAX_INFLATED_BYTES

Encoding = Literal["zstd", "gzip", "identity"]
_PIECE_BYTES = 64 << 10
_MAX_WINDOW_BYTES = 8 << 20


class TooLarge(ValueError):
    """The body inflates past the limit; nothing past it was kept."""


class BadEncoding(ValueError):
    """Not what Content-Encoding says: an unknown name, damaged, cut off, or followed by other bytes."""


def deflate(body: bytes, encoding: str) -> bytes:
    """`body` compressed. The same input gives the same bytes, so a batch keeps its hash."""
    if encoding in ("", "identity"):
        return body
    if encoding == "zstd":
        return zstandard.ZstdCompressor(level=3, write_content_size=True).compress(body)
    if encoding == "gzip":
        return gzip.compress(body, compresslevel=6, mtime=0)
    raise BadEncoding(f"unknown content encoding {encoding!r}")


def inflate(body: bytes, encoding: str, max_bytes: int = MAX_INFLATED_BYTES) -> bytes:
    """`body` decompressed, at most `max_bytes` of it. Raises TooLarge or BadEncoding.

    One layer only: `gzip, gzip` is an unknown encoding.
    """
    name = encoding.strip().lower()
    if name in ("", "identity"):
        if len(body) > max_bytes:
            raise TooLarge(f"over {max_bytes} bytes")
        return body
    if name == "zstd":
        return _inflate_zstd(body, max_bytes)
    if name == "gzip":
        return _inflate_gzip(body, max_bytes)
    raise BadEncoding(f"unknown content encoding {encoding[:40]!r}")


def _inflate_zstd(body: bytes, max_bytes: int) -> bytes:
    source = io.BytesIO(body)
    unpacker = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES).decompressobj()
    out, length = [], 0
    try:
        while not unpacker.eof:
            # Small input pieces: one piece of zstd can swell a thousandfold before we may look at it.
            piece = source.read(64)
            if not piece:
                raise BadEncoding("zstd body is cut off")
            inflated = unpacker.decompress(piece)
            length += len(inflated)
            if length > max_bytes:
                raise TooLarge(f"over {max_bytes} bytes")
            out.append(inflated)
    except zstandard.ZstdError as error:
        raise BadEncoding("damaged zstd body") from error
    if unpacker.unused_data or source.read(1):
        raise BadEncoding("bytes after the zstd frame")
    return b"".join(out)


def _inflate_gzip(body: bytes, max_bytes: int) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    out, length, waiting = [], 0, body
    try:
        while not unpacker.eof:
            inflated = unpacker.decompress(waiting, _PIECE_BYTES)
            waiting = unpacker.unconsumed_tail
            if not inflated and not waiting and not unpacker.eof:
                raise BadEncoding("gzip body is cut off")
            length += len(inflated)
            if length > max_bytes:
                raise TooLarge(f"over {max_bytes} bytes")
            out.append(inflated)
    except zlib.error as error:
        raise BadEncoding("damaged gzip body") from error
    if unpacker.unused_data:
        raise BadEncoding("bytes after the gzip stream")
    return b"".join(out)
