"""Files as they are or compressed, read in pieces; an end in the middle is noticed.

gzip, bzip2, xz and zstd may hold several members (or frames), one after the other. Those of a zip archive are
read in its order, and may be compressed themselves; the header is read once, from the first of them.
"""

import bz2
import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from itertools import chain
from pathlib import Path
from typing import IO, BinaryIO, NamedTuple, Protocol

import zstandard

PIECE_BYTES = 1 << 18
BEGINNING_BYTES = 512
"""Enough of a file to tell its compression, and that it is a tar archive."""
MOST_HEADER_BYTES = 4096
MOST_WINDOW_BYTES = 1 << 31
"""What `zstd --ultra --long=31` writes."""
NUMBER = re.compile(rb"(^|[,;\t|])[\"']?[-+]?[.\d]")
"""A field that is a number or a time: a line with one is no header."""
UNPACK = "Unpack it, and give the files in it."
LINE_ENDS = (b"\n", b"\r", b"\0")  # the latter in UTF-16
NOT_TRADES = re.compile(
    r"(^|/)(__MACOSX/.*|\.[^/]*|(manifest|metadata|condition|symbology)\.json)$", re.IGNORECASE
)
"""Members of a zip that come with the trades: what macOS adds, and the notes of a Databento download."""


class BrokenFileError(Exception):
    """The data is cut short, damaged, or packed in a way that is not read; what was read before it is good.

    Parameters
    ----------
    reason
        What is wrong with it, for a person.
    hint
        What to do.
    """

    def __init__(self, reason: str, hint: str = "Fetch the file again, or leave it out.") -> None:
        super().__init__(reason)
        self.hint = hint


class _Decompressor(Protocol):
    """What Python's decompressors of one member have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


class _Kind(NamedTuple):
    """A compression: its name, a pattern for the first bytes, and what unpacks one member."""

    name: str
    beginning: bytes
    new: Callable[[], _Decompressor]


KINDS = (
    _Kind(
        "zstd",
        rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18",  # the latter begins a frame to be skipped
        lambda: zstandard.ZstdDecompressor(max_window_size=MOST_WINDOW_BYTES).decompressobj(),
    ),
    _Kind("gzip", rb"\x1f\x8b\x08", lambda: zlib.decompressobj(wbits=31)),
    _Kind("bzip2", rb"BZh[1-9](1AY&SY|\x17\x72\x45\x38\x50\x90)", bz2.BZ2Decompressor),
    _Kind("xz", rb"\xfd7zXZ\x00", lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ)),
)
ZIP = rb"PK(\x03\x04|\x05\x06|\x07\x08)"
OTHER_KINDS = {
    "compressed with lz4": rb"\x04\x22\x4d\x18",
    "compressed with an old zstd (before 0.8)": rb"[\x22-\x27]\xb5\x2f\xfd",
    "compressed with compress (.Z)": rb"\x1f[\x9d\xa0]",
    "compressed with snappy": rb"\xff\x06\x00\x00sNaPpY",
    "compressed with lzip": rb"LZIP",
    "a 7z archive": rb"7z\xbc\xaf\x27\x1c",
    "a RAR archive": rb"Rar!\x1a\x07",
    "a tar archive": rb"(?s).{257}ustar",
}
"""Kinds that are not read, by what to call them."""


def first_bytes(path: Path, count: int) -> bytes:
    """Return up to `count` bytes of the content's beginning, decompressed if need be.

    Raises
    ------
    BrokenFileError
        The file breaks off within its first line: nothing can be read of it.
    """
    found = b""
    try:
        for piece, _ in read_pieces(path):
            found += piece
            if len(found) >= count:
                break
    except BrokenFileError:
        if not re.search(rb"[\r\n]", found):
            raise
        # Otherwise it is reported with its place when the whole file is read.
    return found[:count]


def unsupported_kind(beginning: bytes) -> str | None:
    """Return what a file is whose content, decompressed, begins like this, if it is packed in another way."""
    for name, pattern in OTHER_KINDS.items():
        if re.match(pattern, beginning):
            return name
    twice = next((kind.name for kind in KINDS if re.match(kind.beginning, beginning)), None)
    if twice is None and re.match(ZIP, beginning):
        twice = "zip"
    return f"compressed twice ({twice} within another compression)" if twice else None


def read_pieces(path: Path) -> Iterator[tuple[bytes, int]]:
    """Yield the content in pieces, each with the position in the stored file that it reaches to.

    Raises
    ------
    BrokenFileError
        After the last piece that could be read, when compressed data is cut short or damaged.
    """
    with path.open("rb") as file:
        is_zip = re.match(ZIP, file.read(BEGINNING_BYTES)) is not None
        file.seek(0)
        for content in _zip_members(file) if is_zip else _unpacked(file):
            yield content, file.tell()


def _unpacked(file: IO[bytes]) -> Iterator[bytes]:
    """Yield a file's content, or that of a zip's member."""
    beginning = file.read(BEGINNING_BYTES)
    stored = chain([beginning], iter(lambda: file.read(PIECE_BYTES), b""))
    kind = next((kind for kind in KINDS if re.match(kind.beginning, beginning)), None)
    return _decompressed(stored, kind) if kind else stored


def _decompressed(stored_pieces: Iterator[bytes], kind: _Kind) -> Iterator[bytes]:
    """Yield the content of compressed data, all members of it."""
    member = None
    for piece in stored_pieces:
        stored = piece
        while stored:
            if member is None and kind.name != "zstd":
                stored = stored.lstrip(b"\0")  # padding
                if not stored:
                    break
            member = member or kind.new()
            try:
                content = member.decompress(stored)
            except (zstandard.ZstdError, zlib.error, lzma.LZMAError, OSError, ValueError) as error:
                raise BrokenFileError(f"the compressed data is damaged ({kind.name}: {error})") from error
            except MemoryError as error:
                raise BrokenFileError("there is not enough memory to decompress the file") from error
            if content:
                yield content
            stored = member.unused_data if member.eof else b""
            if member.eof:
                member = None
    if member is not None:
        raise BrokenFileError("the file is truncated: its compressed data ends in the middle")


def _zip_members(file: BinaryIO) -> Iterator[bytes]:
    """Yield the content of a zip's members in its order; the text of each begins on a line of its own."""
    try:
        archive = zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        reason = "the zip archive is truncated or damaged: the list of members at its end cannot be read"
        raise BrokenFileError(reason) from error
    members = [one for one in archive.infolist() if not one.is_dir() and one.file_size]
    if any(one.filename == "[Content_Types].xml" for one in members):
        raise BrokenFileError("it is an Office document, such as an Excel workbook", "Save its sheet as CSV.")
    members = [one for one in members if not NOT_TRADES.search(one.filename)]
    if not members:
        raise BrokenFileError("the zip archive holds no file of trades")
    has_header = _check_members([(one.filename, _beginning(archive, one)) for one in members])
    last = b"\n"
    for at, member in enumerate(members):
        if last not in LINE_ENDS:
            yield b"\n"
        pieces = _member(archive, member)
        for content in _without_line(pieces) if at and has_header[at] else pieces:
            yield content
            last = content[-1:] or last


def _beginning(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Return the first line of a member's content, and perhaps more."""
    beginning = b""
    for content in _member(archive, member):
        beginning += content
        if b"\n" in beginning or len(beginning) > MOST_HEADER_BYTES:
            break
    return beginning


def _without_line(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Leave out the first line of a content."""
    for content in pieces:
        _, is_found, rest = content.partition(b"\n")
        if is_found:
            yield from chain([rest], pieces)


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield the content of a zip's member."""
    try:
        with archive.open(member) as stream:
            yield from _unpacked(stream)
    except RuntimeError as error:  # a password, or a method that Python does not know
        raise BrokenFileError(
            f"the zip's member {member.filename} cannot be read: {error}", UNPACK
        ) from error
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the disk's, not bzip2's
        raise BrokenFileError(f"the zip's member {member.filename} is damaged ({error})") from error


def _check_members(beginnings: list[tuple[str, bytes]]) -> list[bool]:
    """Refuse a zip whose members do not make one file, and tell which ones begin with its header.

    Parameters
    ----------
    beginnings
        Their names and first bytes, n of them, as is the result.
    """
    if len(beginnings) > 1 and any(re.match(rb"DBN|PAR1", beginning) for _, beginning in beginnings):
        raise BrokenFileError("the zip archive holds several binary files", UNPACK)
    headers: dict[bytes, str] = {}
    has_header = []
    for name, beginning in beginnings:
        line = beginning.partition(b"\n")[0].strip(b"\r \xef\xbb\xbf")
        is_header = NUMBER.search(line) is None
        if is_header:
            headers.setdefault(line, name)
        has_header.append(is_header and b"\0" not in line)  # in UTF-16 a line is not cut at a byte
    if len(headers) > 1:
        first, other, *_ = headers.values()
        raise BrokenFileError(f"the zip's members {first} and {other} have different headers", UNPACK)
    return has_header
