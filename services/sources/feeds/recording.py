"""A feed's session on disk: the frames and answers as they came, so that it can be run again elsewhere.

A file is lines of JSON, compressed with zstd: a `Head`, then an `Entry` for each thing that came. Logins are
not in it: only what came after them, and nothing that was sent.
"""

import base64
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import msgspec
import zstandard

from services.common.errors import TapewatchError
from services.sources.feeds.messages import HistoryRequest
from services.sources.feeds.place import Place

VERSION = 1
FLUSH_S = 1.0

EntryKind = Literal["connected", "frame", "asked", "history", "answered", "unavailable", "lost", "silent"]


class Head(msgspec.Struct, frozen=True):
    """The first line.

    Parameters
    ----------
    version
        Of this layout.
    venue, symbols
        What was recorded.
    places
        How far the symbols were published before.
    """

    version: int
    venue: str
    symbols: list[str]
    places: dict[str, Place]


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A further line.

    Parameters
    ----------
    ns
        When it came, in ns since 1970.
    at_s
        Likewise, in seconds that never go back.
    kind
        What came.
    text, binary
        A frame, an answer's body or a reason: as text, or in Base64 where it is not UTF-8.
    symbol
        Of a question or an answer.
    path, state
        Of the question that a body answers.
    asked_s
        When the question was asked that has been answered.
    """

    ns: int
    at_s: float
    kind: EntryKind
    text: str = ""
    binary: str = ""
    symbol: str = ""
    path: str = ""
    state: list[Any] = []
    asked_s: float = 0.0

    @property
    def raw(self) -> bytes:
        """The bytes as they came."""
        return base64.b64decode(self.binary) if self.binary else self.text.encode()


class Recording:
    """Keeps nothing; what a session tells while nobody records it. Times are seconds that never go back."""

    def begin(self, venue: str, symbols: Sequence[str], places: Mapping[str, Place]) -> None:
        """Note what is recorded."""

    def connected(self, now_s: float) -> None:
        """Note that the venue let this feed in."""

    def frame(self, now_s: float, raw: bytes) -> None:
        """Note a frame."""

    def asked(self, now_s: float, symbol: str) -> None:
        """Note that history is asked for a symbol."""

    def history(self, now_s: float, request: HistoryRequest, body: bytes) -> None:
        """Note an answer."""

    def answered(self, now_s: float, symbol: str, asked_s: float) -> None:
        """Note that all has been answered that was asked at `asked_s`."""

    def unavailable(self, now_s: float, symbol: str, reason: str) -> None:
        """Note that history will not answer."""

    def ended(self, now_s: float, event: Literal["lost", "silent"], reason: str) -> None:
        """Note that the connection has ended, or is silent."""


NO_RECORDING = Recording()


class FileRecording(Recording):
    """Writes a file.

    Parameters
    ----------
    path
        The file; it must not exist.

    Raises
    ------
    TapewatchError
        The file exists, or cannot be written.
    """

    def __init__(self, path: Path) -> None:
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

    def begin(self, venue: str, symbols: Sequence[str], places: Mapping[str, Place]) -> None:
        """See `Recording`."""
        self._put(Head(VERSION, venue, list(symbols), dict(places)))

    def connected(self, now_s: float) -> None:
        """See `Recording`."""
        self._put(Entry(time.time_ns(), now_s, "connected"))

    def frame(self, now_s: float, raw: bytes) -> None:
        """See `Recording`."""
        self._put(Entry(time.time_ns(), now_s, "frame", *_text_and_binary(raw)))

    def asked(self, now_s: float, symbol: str) -> None:
        """See `Recording`."""
        self._put(Entry(time.time_ns(), now_s, "asked", symbol=symbol))

    def history(self, now_s: float, request: HistoryRequest, body: bytes) -> None:
        """See `Recording`."""
        text, binary = _text_and_binary(body)
        asked = (request.symbol, request.path, list(request.state))
        self._put(Entry(time.time_ns(), now_s, "history", text, binary, *asked))

    def answered(self, now_s: float, symbol: str, asked_s: float) -> None:
        """See `Recording`."""
        self._put(Entry(time.time_ns(), now_s, "answered", symbol=symbol, asked_s=asked_s))

    def unavailable(self, now_s: float, symbol: str, reason: str) -> None:
        """See `Recording`."""
        self._put(Entry(time.time_ns(), now_s, "unavailable", reason, symbol=symbol))

    def ended(self, now_s: float, event: Literal["lost", "silent"], reason: str) -> None:
        """See `Recording`."""
        self._put(Entry(time.time_ns(), now_s, event, reason))

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
