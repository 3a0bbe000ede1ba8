"""Trades as lines of JSON from standard input, as a broker's own program may write them, by a mapping."""

import hashlib
import itertools
import os
import select
import uuid
from collections.abc import Iterator
from typing import Any

import msgspec
import polars as pl

from services.sources.base import Chunk, Cursor, RejectedRow, Source
from services.sources.mapped.convert import Converter
from services.sources.mapped.mapping import Mapping

READ_BYTES = 1 << 20
WAIT_S = 0.1
MOST_LINE_BYTES = 1 << 20
"""A longer line is rejected; its beginning is kept."""

KEPT_BYTES = 4096


class JsonLines(Source):
    """A stream of objects, one a line; names inside objects are joined by points, such as `trade.price`.

    A stream cannot be read again: what was read and not committed when this process is killed is lost. With
    the key `id` in the mapping, the sender may send the last lines again. Within a process nothing is lost:
    the lines of the last chunk are kept until the next one is asked for.

    Parameters
    ----------
    mapping
        What stands where in an object.
    descriptor
        The open file that is read.
    """

    name = "standard input"

    def __init__(self, mapping: Mapping, descriptor: int = 0) -> None:
        self._mapping = mapping
        self._descriptor = descriptor
        self._decoder = msgspec.json.Decoder(dict[str, Any], float_hook=str)
        self._names = mapping.columns
        self._identity = hashlib.sha256(uuid.uuid4().bytes).hexdigest()
        self.encoding = Converter(mapping).encoding
        self._rest = b""
        self._first_kept = 1
        self._kept: list[bytes] = []
        """The last chunk's lines, the first with the number `_first_kept`."""

    @property
    def identity(self) -> str:
        """See `Source`; another one each time."""
        return self._identity

    def chunks(self, after: Cursor | None = None) -> Iterator[Chunk]:
        """See `Source`."""
        converter = Converter(self._mapping)
        number = after if isinstance(after, int) else 0
        again = self._kept[max(0, number + 1 - self._first_kept) :]
        for lines in itertools.chain([again] if again else [], self._lines()):
            self._first_kept, self._kept = number + 1, lines
            rows: dict[str, list[str | None]] = {name: [] for name in self._names}
            numbers: list[int] = []
            raws: list[bytes] = []
            rejected: list[RejectedRow] = []
            for line in lines:
                number += 1
                if not line.strip():
                    continue
                try:
                    found = self._fields(line)
                except ValueError as error:
                    rejected.append(RejectedRow(number, line[:KEPT_BYTES], f"not a line of JSON: {error}"))
                    continue
                numbers.append(number)
                raws.append(line)
                for name in self._names:
                    rows[name].append(found.get(name))
            cells = pl.DataFrame(
                {"line": pl.Series(numbers, dtype=pl.Int64)}
                | {name: pl.Series(values, dtype=pl.String) for name, values in rows.items()}
            )
            trades, reasons = converter.convert(cells)
            by_line = dict(zip(numbers, raws, strict=True))
            rejected += [RejectedRow(line, by_line[line], reason) for line, reason in reasons.iter_rows()]
            yield Chunk(trades, sorted(rejected, key=lambda row: row.line), number or None)

    def _lines(self) -> Iterator[list[bytes]]:
        """Yield what has come each 0.1 s at the latest, also nothing; ends with the stream."""
        while True:
            if not select.select([self._descriptor], [], [], WAIT_S)[0]:
                yield []
                continue
            piece = os.read(self._descriptor, READ_BYTES)
            if not piece:
                if self._rest:
                    last, self._rest = self._rest, b""
                    yield [last]
                return
            *whole, self._rest = (self._rest + piece).split(b"\n")
            if len(self._rest) > MOST_LINE_BYTES:
                whole, self._rest = [*whole, self._rest], b""
            yield whole

    def _fields(self, line: bytes) -> dict[str, str | None]:
        """Return the texts of an object's fields.

        Raises
        ------
        ValueError
            It is no object, or no JSON.
        """
        if len(line) > MOST_LINE_BYTES:
            raise ValueError(f"it is longer than {MOST_LINE_BYTES:,} bytes")
        try:
            found = self._decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(str(error)) from None
        flat: dict[str, str | None] = {}
        _flatten(found, "", flat)
        return flat


def _flatten(value: dict[str, Any], prefix: str, flat: dict[str, str | None]) -> None:
    for name, inner in value.items():
        if isinstance(inner, dict):
            _flatten(inner, f"{prefix}{name}.", flat)
        elif isinstance(inner, bool):
            flat[prefix + name] = "true" if inner else "false"
        elif inner is None or isinstance(inner, str | int):
            flat[prefix + name] = None if inner is None else str(inner)
