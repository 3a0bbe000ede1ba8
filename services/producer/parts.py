"""Divides a chunk into parts that can be committed: after a part no earlier row is left."""

import math
from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np

from services.producer.pacing import MAX_SLICE_TRADES
from services.producer.pending import COMMIT_REJECTED_BYTES
from services.sources.base import Chunk, RejectedRow


def in_parts(chunk: Chunk, slices: Iterable[slice], position: int = 0) -> Iterator[Chunk]:
    """Divide a chunk of a source whose cursor is the line.

    Parameters
    ----------
    chunk
        All of it.
    slices
        Slices of its trades, each when it is due. If they end early, the rest is not published.
    position
        Where the chunk begins.

    Yields
    ------
    Chunk
        A part: rejected rows, then trades; all that stood before its cursor has been yielded with it.
    """
    lines = chunk.trades["line"].to_numpy()
    rejected = deque(chunk.rejected)
    done = 0

    def part(rows: list[RejectedRow], stop: int) -> Chunk:
        trades = chunk.trades[done:stop]
        cursor = max([*(row.line for row in rows[-1:]), *trades["line"][-1:]])
        share = stop / len(lines) if len(lines) else 1.0
        return Chunk(trades, rows, cursor, position + int((chunk.position - position) * share))

    for piece in slices:
        while done < piece.stop:
            rows = _take(rejected, before_line=float(lines[piece.stop - 1]))
            next_line = rejected[0].line if rejected else math.inf
            stop = done + int(np.searchsorted(lines[done : piece.stop], next_line))
            yield part(rows, stop)
            done = stop
    while rejected and done == len(lines):
        yield part(_take(rejected, before_line=math.inf), done)


def _take(rejected: deque[RejectedRow], before_line: float) -> list[RejectedRow]:
    """Take the next rejected rows before a line, as many as are published in a moment."""
    rows: list[RejectedRow] = []
    bytes_left = COMMIT_REJECTED_BYTES
    while rejected and rejected[0].line < before_line and len(rows) < MAX_SLICE_TRADES and bytes_left > 0:
        rows.append(rejected.popleft())
        bytes_left -= len(rows[-1].raw)
    return rows
