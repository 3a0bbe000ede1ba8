"""A feed's session on disk: the frames and answers as they came, so that it can be run again elsewhere.

A file is lines of JSON, compressed with zstd. The first line names the venue and the symbols; each further
one has `ns` (when it came, in ns since 1970), `kind` and what belongs to it. Logins are not in it: only what
came after them, and nothing that was sent.
"""

import base64
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import msgspec
import zstandard

from services.common.errors import TapewatchError
from services.sources.feeds.messages import HistoryRequest

VERSION = 1
FLUSH_S = 1.0


class Head(msgspec.Struct, frozen=True):
    """The first line."""

    version: int
    venue: str
    symbols: list[str]


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A further line."""

    ns: int
    kind: Literal["connected", "frame", "history", "lost"]
    text: str = ""
    """A frame or a body that is UTF-8."""
    binary: str = ""
    """One that is not, in Base64."""
    symbol: str = ""
    path: str = ""
    state: list[Any] = []
    """Of the question that a body answers."""

    @property
    def raw(self) -> bytes:
        """The bytes as they came."""
        return base64.b64decode(self.binary) if self.binary else self.text.encode()


class Recording:
    """Keeps nothing; what a session tells while nobody records it."""

    def connected(self) -> None:
        """Note that the venue let this feed in."""

    def frame(self, raw: bytes) -> None:
        """Note a frame."""

    def history(self, request: HistoryRequest, body: bytes) -> None:
        """Note an answer of its history."""

    def lost(self, reason: str) -> None:
        """Note that the connection ended."""


NO_RECORDING = Recording()


class FileRecording(Recording):
    """Writes a file.

    Parameters
    ----------
    path
        The file; it must not exist.
    venue, symbols
        What is recorded.

    Raises
    ------
    TapewatchError
        The file exists, or cannot be written.
    """

    def __init__(self, path: Path, venue: str, symbols: tuple[str, ...]) -> None:
        try:
            self._file = path.open("xb")
        except FileExistsError:
            raise TapewatchError(f"{path} exists already.", "Give --record another name.") from None
        except OSError as error:
            raise TapewatchError(
                f"{path} cannot be written: {error.strerror}.", "Give --record another place."
            ) from None
        self._writer = zstandard.ZstdCompressor(level=3).stream_writer(self._file)
        self._flush_s = time.monotonic()
        self._put(Head(VERSION, venue, list(symbols)))

    def connected(self) -> None:
        """See `Recording`."""
        self._put(Entry(time.time_ns(), "connected"))

    def frame(self, raw: bytes) -> None:
        """See `Recording`."""
        text, binary = _text_and_binary(raw)
        self._put(Entry(time.time_ns(), "frame", text, binary))

    def history(self, request: HistoryRequest, body: bytes) -> None:
        """See `Recording`."""
        text, binary = _text_and_binary(body)
        asked = (request.symbol, request.path, list(request.state))
        self._put(Entry(time.time_ns(), "history", text, binary, *asked))

    def lost(self, reason: str) -> None:
        """See `Recording`."""
        self._put(Entry(time.time_ns(), "lost", reason))

    def close(self) -> None:
        """Write the rest."""
        self._writer.close()  # type: ignore[no-untyped-call]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def _put(self, line: Head | Entry) -> None:
        self._writer.write(msgspec.json.encode(line) + b"\n")
        now_s = time.monotonic()
        if now_s - self._flush_s >= FLUSH_S:  # a killed process loses a second
            self._flush_s = now_s
            self._writer.flush(zstandard.FLUSH_BLOCK)
            self._file.flush()


def _text_and_binary(raw: bytes) -> tuple[str, str]:
    try:
        return raw.decode(), ""
    except UnicodeDecodeError:
        return "", base64.b64encode(raw).decode()


def read_recording(path: Path) -> tuple[Head, Iterator[Entry]]:
    """Read a file; it may end in the middle, as its process may have been killed.

    Raises
    ------
    TapewatchError
        It is no recording, or one of another version.
    """
    lines = _lines(path)
    try:
        head = msgspec.json.decode(next(lines, b""), type=Head)
    except (msgspec.MsgspecError, zstandard.ZstdError) as error:
        raise TapewatchError(
            f"{path} is not a recorded feed ({error}).", "Give a file that --record has written."
        ) from None
    if head.version != VERSION:
        raise TapewatchError(
            f"{path} was recorded by another version of Tapewatch.", "Replay it with that version."
        )
    return head, _entries(path, lines)


def _entries(path: Path, lines: Iterator[bytes]) -> Iterator[Entry]:
    decoder = msgspec.json.Decoder(Entry)
    for number, line in enumerate(lines, 2):
        try:
            yield decoder.decode(line)
        except msgspec.MsgspecError as error:
            raise TapewatchError(
                f"Line {number} of {path} cannot be read: {error}.", "Record the feed again."
            ) from None


def _lines(path: Path) -> Iterator[bytes]:
    """Yield whole lines; what a killed process left unfinished at the end is left out."""
    rest = b""
    try:
        with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as reader:
            while piece := reader.read(1 << 20):
                *whole, rest = (rest + piece).split(b"\n")
                yield from whole
    except OSError as error:
        raise TapewatchError(f"{path} cannot be read: {error.strerror}.", "Check its name.") from None
