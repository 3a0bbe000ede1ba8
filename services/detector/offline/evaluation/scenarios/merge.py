"""Puts planned changes into a day's table, and labels them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from services.detector.offline.evaluation.scenarios.base import Change, Prints
from services.detector.offline.evaluation.scenarios.tape import Tape

SEQUENCE_STEP = 1_000_000
"""Natural trades are numbered in steps of this, in their own order, so that extra ones fit in."""

NATURAL = -1


@dataclass(frozen=True)
class InjectedDay:
    """A day with injected events.

    Parameters
    ----------
    trades
        Its trades in the order in which they come. `sequence` is unique for each symbol, unless the day has
        no numbers (all 0, which stay); extra rows have `line` 0.
    labels
        `row` (in `trades`) and `event`, for each trade of an event, in the order of the rows; a natural
        trade may belong to an event, and even to two.
    events
        `event` (0, 1, …), `kind`, `symbol`, and `start_ns` and `stop_ns` of the stretch that it takes.
    natural_row
        For each row of `trades` the row in the natural day, -1 for extra ones.
    """

    trades: pl.DataFrame
    labels: pl.DataFrame
    events: pl.DataFrame
    natural_row: np.ndarray


def tapes_of(trades: pl.DataFrame, auctions: Callable[[int], tuple[int, int]]) -> list[Tape]:
    """Divide a day into its symbols' tapes.

    Parameters
    ----------
    trades
        The day, at least one trade.
    auctions
        Function from a time in ns since 1970 to that day's opening and closing auction; (0, 0) if it has
        none.
    """
    row = pl.int_range(len(trades), eager=True).alias("row")
    symbols = trades.select("symbol", row).group_by("symbol", maintain_order=True).agg("row")["row"]
    tapes = []
    for rows in symbols:
        own = trades[rows]
        middle = int(own["ts_event"].to_numpy()[len(own) // 2])
        tapes.append(Tape(own, rows.to_numpy(), *auctions(middle)))
    return tapes


def merge(trades: pl.DataFrame, tapes: Sequence[Tape], changes: Sequence[tuple[int, Change]]) -> InjectedDay:
    """Apply changes, each with the number of its tape, to the day that the tapes are of.

    Changes of one tape must not overlap.
    """
    changes = sorted(changes, key=lambda each: (each[0], each[1].start_ns))
    natural, kept = _edited(trades, tapes, changes)
    extra, after_row, arrival = _extra(trades, tapes, changes, natural)
    rows = np.flatnonzero(kept)
    merged = pl.concat([natural[rows], extra])
    is_extra = np.repeat([0, 1], [len(rows), len(extra)])
    order = np.lexsort(
        (
            np.arange(len(merged)),
            np.concatenate([np.zeros(len(rows), np.int64), arrival]),
            is_extra,
            np.concatenate([rows, after_row]),
        )
    )
    row = np.empty(len(merged), np.int64)
    row[order] = np.arange(len(merged))
    row_of_natural = np.full(len(trades), NATURAL)
    row_of_natural[rows] = row[: len(rows)]
    labels, events = _labels(trades, tapes, changes, row_of_natural, row[len(rows) :])
    natural_row = np.concatenate([rows, np.full(len(extra), NATURAL)])[order]
    return InjectedDay(merged[order], labels, events, natural_row)


def _edited(
    trades: pl.DataFrame, tapes: Sequence[Tape], changes: Sequence[tuple[int, Change]]
) -> tuple[pl.DataFrame, np.ndarray]:
    """Return the natural trades as they are with the changes, and which of them are kept."""
    columns: dict[str, np.ndarray] = {
        name: trades[name].to_numpy().copy()
        for name in ("ts_event", "ts_recv", "price", "size", "side", "sequence")
        if name in trades.columns
    }
    sequence = columns["sequence"]
    kept = np.ones(len(trades), np.bool_)
    for tape in tapes:
        numbers = sequence[tape.row]
        if (numbers > 0).any():
            place = np.empty(len(numbers), np.int64)
            place[np.argsort(numbers, kind="stable")] = np.arange(1, len(numbers) + 1)
            sequence[tape.row] = place * SEQUENCE_STEP
    for at, change in changes:
        edits = change.edits
        rows = tapes[at].row[edits.places]
        for name, values in (
            ("ts_event", edits.ts_event_ns),
            ("ts_recv", edits.ts_recv_ns),
            ("price", edits.price_nanos),
            ("size", edits.size_shares),
            ("side", edits.side),
        ):
            if values is not None:
                columns[name][rows] = values
        kept[tapes[at].row[change.removed]] = False
    edited = trades.with_columns(
        pl.Series(name, values, dtype=trades.schema[name]) for name, values in columns.items()
    )
    return edited, kept


def _extra(
    trades: pl.DataFrame, tapes: Sequence[Tape], changes: Sequence[tuple[int, Change]], natural: pl.DataFrame
) -> tuple[pl.DataFrame, np.ndarray, np.ndarray]:
    """Return the extra trades in the changes' order, the natural row that each follows, and when it comes."""
    parts = [(tapes[at], change.prints) for at, change in changes]
    if not sum(len(prints) for _, prints in parts):
        return natural.clear(), np.zeros(0, np.int64), np.zeros(0, np.int64)

    def joined(name: str) -> np.ndarray:
        return np.concatenate([getattr(prints, name) for _, prints in parts])

    arrival = joined("arrival_ns")
    anchor = np.concatenate([_rows(tape, prints.after) for tape, prints in parts])
    upper = np.concatenate([_rows_of_next(tape, prints, len(trades)) for tape, prints in parts])
    numbered = np.concatenate([_rows(tape, prints.numbered_after) for tape, prints in parts])
    symbol_of = np.repeat([int(tape.row[0]) for tape, _ in parts], [len(prints) for _, prints in parts])
    # As late as their time says, among other symbols' trades as well, but before the symbol's next one.
    latest = np.maximum.accumulate(trades["ts_event"].to_numpy())
    after_row = np.searchsorted(latest, arrival, side="right") - 1
    after_row = np.minimum(np.maximum(after_row, anchor), upper - 1)
    sequence = natural["sequence"].to_numpy()
    numbers = np.where(numbered >= 0, sequence[numbered], 0)
    has_numbers = sequence[symbol_of] > 0
    count = pl.DataFrame({"symbol": symbol_of, "number": numbers}).select(
        pl.int_range(1, pl.len() + 1).over("symbol", "number")
    )
    extra = natural[np.where(anchor >= 0, anchor, symbol_of)].with_columns(
        line=pl.lit(0, pl.Int64),
        ts_event=pl.Series(joined("ts_event_ns")),
        price=pl.Series(joined("price_nanos")),
        size=pl.Series(joined("size_shares")),
        side=pl.Series(joined("side").tolist(), dtype=pl.String),
        sequence=pl.Series(np.where(has_numbers, numbers + count.to_series().to_numpy(), 0)),
    )
    if "ts_recv" in trades.columns:
        model = trades[np.where(anchor >= 0, anchor, symbol_of)]
        delay = (model["ts_recv"] - model["ts_event"]).to_numpy()
        extra = extra.with_columns(ts_recv=pl.Series(arrival + np.maximum(0, delay)))
    return extra.select(natural.columns), after_row, arrival


def _rows(tape: Tape, places: np.ndarray) -> np.ndarray:
    return np.where(places >= 0, tape.row[places], NATURAL)


def _rows_of_next(tape: Tape, prints: Prints, end: int) -> np.ndarray:
    following: np.ndarray = np.append(tape.row, end)[prints.after + 1]
    return following


def _labels(
    trades: pl.DataFrame,
    tapes: Sequence[Tape],
    changes: Sequence[tuple[int, Change]],
    row_of_natural: np.ndarray,
    row_of_extra: np.ndarray,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    rows, numbers = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    events: list[tuple[int, str, str, int, int]] = []
    first = 0
    for at, change in changes:
        for event in change.events:
            own = np.concatenate(
                [row_of_extra[first + event.prints], row_of_natural[tapes[at].row[event.places]]]
            )
            rows.append(own)
            numbers.append(np.full(len(own), len(events)))
            symbol = trades["symbol"][int(tapes[at].row[0])]
            events.append((len(events), event.kind, symbol, change.start_ns, change.stop_ns))
        first += len(change.prints)
    labels = pl.DataFrame({"row": np.concatenate(rows), "event": np.concatenate(numbers)})
    schema = {
        "event": pl.Int64,
        "kind": pl.String,
        "symbol": pl.String,
        "start_ns": pl.Int64,
        "stop_ns": pl.Int64,
    }
    return labels.sort("row", "event"), pl.DataFrame(events, schema=schema, orient="row")
