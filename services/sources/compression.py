"""Files as they are or zstd-compressed, read in pieces; an end in the middle is noticed."""

from collections.abc import Iterator
from pathlib import Path

import zstandard

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
PIECE_BYTES = 1 << 18


class BrokenFileError(Exception):
    """The compressed data is cut short or damaged; what was read before it is good."""


def first_bytes(path: Path, count: int) -> bytes:
    """Return up to `count` bytes of the content's beginning, decompressed if need be."""
    found = b""
    try:
        for piece, _ in read_pieces(path):
            found += piece
            if len(found) >= count:
                break
    except BrokenFileError:
        pass  # reported with its place when the whole file is read
    return found[:count]


def read_pieces(path: Path) -> Iterator[tuple[bytes, int]]:
    """Yield the content in pieces, each with the position in the stored file that it reaches to.

    Raises
    ------
    BrokenFileError
        After the last piece that could be read, when compressed data is cut short or damaged.
    """
    with path.open("rb") as file:
        is_zstd = file.read(len(ZSTD_MAGIC)) == ZSTD_MAGIC
        file.seek(0)
        frame = None  # zstd files may hold several frames, one after the other
        while stored := file.read(PIECE_BYTES):
            if not is_zstd:
                yield stored, file.tell()
                continue
            while stored:
                frame = frame or zstandard.ZstdDecompressor().decompressobj()
                try:
                    content = frame.decompress(stored)
                except zstandard.ZstdError as error:
                    raise BrokenFileError(f"the compressed data is damaged ({error})") from error
                if content:
                    yield content, file.tell()
                stored = frame.unused_data if frame.eof else b""
                if frame.eof:
                    frame = None
        if frame is not None:
            raise BrokenFileError("the file is truncated: its compressed data ends in the middle")
