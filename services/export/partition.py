"""One symbol's day as one Parquet file, which takes its name only when it is complete."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import orjson
import polars as pl
from polars.io.plugins import register_io_source

from services.common.errors import TapewatchError
from services.export.index import State
from services.sources.base import RejectedRow
from services.sources.exported.columns import SCHEMA, to_columns

METADATA_KEY = "tapewatch"
"""Of what a file's own metadata says of the index that it was read from."""

ROW_GROUP_ROWS = 131_072

Page = Sequence[tuple[bytes, int]]


@dataclass
class Written:
    """What went into a file.

    Parameters
    ----------
    trades
        How many trades.
    state
        What the index had.
    rejected
        How many documents are no trades, and the first of them.
    """

    trades: int = 0
    state: State = field(default_factory=lambda: State(0, 0))
    rejected: int = 0
    first_rejected: RejectedRow | None = None


def exported_state(path: Path) -> State | None:
    """Return what the index had when a file was written; None if there is no whole file.

    Raises
    ------
    TapewatchError
        The file is whole, but not an export.
    """
    if not path.exists():
        return None
    try:
        said = pl.read_parquet_metadata(path).get(METADATA_KEY)
    except (pl.exceptions.PolarsError, OSError):
        return None  # the machine has lost power while it was written
    if said is None:
        raise TapewatchError(
            f"{path} holds something else than exported trades.", "Move it away, or choose another folder."
        )
    known = orjson.loads(said)
    return State(known["trades"], known["changes"])


def write_partition(
    path: Path, unfinished: Path, pages: Iterable[Page], on_trades: Callable[[int], None]
) -> Written:
    """Write a symbol's day; memory does not grow with it.

    Parameters
    ----------
    path
        The file; a file that is there is replaced.
    unfinished
        What the file is called until it is complete, on the same disk.
    pages
        The trades' JSON and their sequence numbers, in the order of the tape; those of the same time and
        sequence may be in any order.
    on_trades
        Called with the number of each page's documents.

    Raises
    ------
    TapewatchError
        The file cannot be written, or the trades cannot be read.
    """
    written = Written()
    failed: list[Exception] = []

    def frames(*_: object) -> Iterator[pl.DataFrame]:  # all of it, whatever polars may ask for
        try:
            yield from _in_order(_frames(pages, written, on_trades))
        except Exception as error:  # polars would tell of it in words of its own
            failed.append(error)
            raise

    def state(_: object) -> dict[str, str]:
        known = {"trades": written.state.trades, "changes": written.state.changes}
        return {METADATA_KEY: orjson.dumps(known).decode()}

    try:
        register_io_source(frames, schema=SCHEMA).sink_parquet(
            unfinished, row_group_size=ROW_GROUP_ROWS, metadata=state, sync_on_close="all"
        )
        if written.state.trades:
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished.replace(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        if failed:
            raise failed[0] from error
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise TapewatchError(
            f"{path} cannot be written: {reason}.",
            "Check the disk's space and the folder's permissions; the same command then resumes.",
        ) from error
    return written


def _frames(
    pages: Iterable[Page], written: Written, on_trades: Callable[[int], None]
) -> Iterator[pl.DataFrame]:
    for page in pages:
        before = written.state
        trades, rejected = to_columns([document for document, _ in page], before.trades + 1)
        written.state = State(before.trades + len(page), before.changes + sum(number for _, number in page))
        written.trades += len(trades)
        written.rejected += len(rejected)
        written.first_rejected = written.first_rejected or next(iter(rejected), None)
        on_trades(len(page))
        yield trades


def _in_order(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """Put trades of the same time and sequence into the order of their ids, whatever copy they are from.

    Numbers at the ends of ids rise with the tape, so a shorter id comes first.
    """
    sequence = pl.col("sequence").fill_null(0)
    is_last = (pl.col("ts_event") == pl.col("ts_event").last()) & (sequence == sequence.last())
    held = pl.DataFrame(schema=SCHEMA)
    for frame in frames:
        by_id = (pl.col("trade_id").str.len_bytes(), "trade_id")
        trades = pl.concat([held, frame]).sort("ts_event", sequence, *by_id, maintain_order=True)
        held = trades.filter(is_last)  # the next page may begin with more of them
        yield trades.filter(~is_last)
    yield held
