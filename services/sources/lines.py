"""The numbered lines of a text file, chunk by chunk; what cannot be read keeps its number and its bytes."""

import codecs
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

from services.sources.base import RejectedRow
from services.sources.compression import BrokenFileError, read_pieces

CHUNK_BYTES = 8 << 20
CHUNK_LINES = 1 << 17
"""More than trades of `CHUNK_BYTES` have; very short lines are rejected, and each takes memory and time."""


class Lines(NamedTuple):
    """Some consecutive lines after the header.

    Parameters
    ----------
    text
        Columns `line` (Int64, the first of the file being 1) and `raw` (String, without the line end); blank
        lines and repetitions of the header are left out.
    rejected
        Lines that are not UTF-8, a last one without a line end, and what stands where a damaged file breaks
        off.
    position_bytes
        How far into the file (as stored) they reach.
    unended
        Only if asked for, the last line without a line end; it stands in `text` then, not in `rejected`.
    """

    text: pl.DataFrame
    rejected: list[RejectedRow]
    position_bytes: int
    unended: RejectedRow | None


def read_lines(
    path: Path,
    keep_unended: bool = False,
    *,
    encoding: str = "utf-8",
    line_end: str = "\n",
    header_lines: int = 1,
) -> Iterator[Lines]:
    """Read a file, plain or compressed, from its start.

    Parameters
    ----------
    path
        The file.
    keep_unended
        Leave it to the reader whether a last line without a line end is whole; else it is rejected, as it may
        be cut off.
    encoding
        UTF-8 or one of UTF-16; rejected bytes are UTF-8 in any case.
    line_end
        A line feed, or a carriage return.
    header_lines
        How many lines there are up to the header, which is the last of them; 0 for a file without one.
    """
    line = 1
    left_out = [""]
    for text, position_bytes, broken in _parts(path, encoding, line_end):
        body = text
        while line <= header_lines and body:
            ended, _, body = body.partition(b"\n")
            header = ended.removeprefix(codecs.BOM_UTF8).removesuffix(b"\r").decode("utf-8", "replace")
            left_out = ["", header, f"\ufeff{header}"]  # files that were joined, packed or not, repeat it
            line += 1
        raw, rejected = _decode(body, line)
        numbered = pl.DataFrame({"raw": raw}).with_row_index("line", line).cast({"line": pl.Int64})
        line += len(raw)
        unended = None
        if body and not body.endswith(b"\n") and broken is None:
            reason = "the file ends in the middle of this line (no line end)"
            unended = RejectedRow(line - 1, body.rsplit(b"\n", 1)[-1], reason)
            if not keep_unended:
                rejected.append(unended)
                numbered, unended = numbered[:-1], None
        if broken is not None:
            rejected.append(RejectedRow(line, *broken))
        yield Lines(numbered.filter(~pl.col("raw").is_in(left_out)), rejected, position_bytes, unended)


def without_nulls(trades: pl.DataFrame, text: pl.DataFrame) -> tuple[pl.DataFrame, list[RejectedRow]]:
    """Reject the rows in which a column could not be converted, and so is null.

    Parameters
    ----------
    trades
        Converted lines, with the column `line`.
    text
        The same lines, as in `Lines`, perhaps with others.

    Returns
    -------
    tuple
        The other rows, and the rejected ones; the first such column is the reason.
    """
    names = [name for name in trades.columns if name != "line"]
    reason = pl.format("{} cannot be read", first_null(names))
    return trades.drop_nulls(names), rejected_rows(trades.select("line", reason=reason).drop_nulls(), text)


def first_null(names: list[str]) -> pl.Expr:
    """Return the name of the first of these columns that is null; null where none is."""
    return pl.coalesce([pl.when(pl.col(name).is_null()).then(pl.lit(name)) for name in names])


def rejected_rows(reasons: pl.DataFrame, text: pl.DataFrame) -> list[RejectedRow]:
    """Return rejected rows as they came.

    Parameters
    ----------
    reasons
        Columns `line` and `reason`.
    text
        Lines, as in `Lines`, with those among them.
    """
    raw = reasons.join(text, on="line", how="left", maintain_order="left")
    return [RejectedRow(line, row.encode(), reason) for line, reason, row in raw.iter_rows()]


def _parts(path: Path, encoding: str, line_end: str) -> Iterator[tuple[bytes, int, tuple[bytes, str] | None]]:
    """Yield what `_whole_lines` does, cut after every `CHUNK_LINES` lines."""
    for text, position_bytes, broken in _whole_lines(path, encoding, line_end):
        ends: list[int] = []
        if text.count(b"\n") > CHUNK_LINES:
            line_ends = np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n")) + 1
            ends = line_ends[CHUNK_LINES - 1 : -1 : CHUNK_LINES].tolist()
        for start, end in pairwise([0, *ends]):
            yield text[start:end], position_bytes, None
        yield text[ends[-1] if ends else 0 :], position_bytes, broken


def _whole_lines(
    path: Path, encoding: str, line_end: str
) -> Iterator[tuple[bytes, int, tuple[bytes, str] | None]]:
    """Yield text that ends with a line (but perhaps the last), its position, and how the file broke off.

    Where it broke off, the unfinished line and the reason stand in the third place.
    """
    rest = b""
    position_bytes = 0
    try:
        for piece, position_bytes in _utf8_pieces(path, encoding, line_end):
            rest += piece
            if len(rest) >= CHUNK_BYTES:
                end = rest.rfind(b"\n") + 1
                if end:
                    yield rest[:end], position_bytes, None
                    rest = rest[end:]
    except BrokenFileError as error:
        end = rest.rfind(b"\n") + 1
        yield rest[:end], position_bytes, (rest[end:], str(error))
    else:
        if rest:
            yield rest, position_bytes, None


def _utf8_pieces(path: Path, encoding: str, line_end: str) -> Iterator[tuple[bytes, int]]:
    """Yield a file's content in UTF-8, its lines ended by a line feed."""
    decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")
    for piece, position_bytes in read_pieces(path):
        text = piece if encoding == "utf-8" else decoder.decode(piece).encode("utf-8", "surrogatepass")
        yield text if line_end == "\n" else text.replace(line_end.encode(), b"\n"), position_bytes


def _decode(body: bytes, first_line: int) -> tuple[pl.Series, list[RejectedRow]]:
    """Cut bytes into lines; a line that is not UTF-8 becomes a rejected row and an empty line."""
    if not body:
        return pl.Series("raw", [], pl.String), []
    body = body.removesuffix(b"\n")
    undecodable = []
    try:
        text = body.decode()
    except UnicodeDecodeError:
        lines = body.split(b"\n")
        for at, raw in enumerate(lines):
            try:
                raw.decode()
            except UnicodeDecodeError as error:
                undecodable.append(RejectedRow(first_line + at, raw, f"not UTF-8 text ({error.reason})"))
                lines[at] = b""
        text = b"\n".join(lines).decode()
    series = pl.Series("raw", [text]).str.split("\n").explode()
    return series.str.strip_suffix("\r"), undecodable
