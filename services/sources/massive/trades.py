"""Massive's (formerly Polygon's) flat files of US stocks, `trades_v1`: a row for each print of the tapes.

A file is a day, sorted by ticker and then by time, and is streamed. Prices and sizes are decimals, several
conditions of a print stand in quotes.
"""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from services.common.errors import TapewatchError
from services.sources.cells import fields_of, split
from services.sources.columns import PLAIN_TEXT
from services.sources.encode import Encoding
from services.sources.file import FileSource, Rows
from services.sources.lines import read_lines, rejected_rows
from services.sources.mapped.csv import head_lines
from services.sources.massive.condition_columns import Conditions
from services.sources.values import numbers, prices, sizes

REQUIRED = (
    "ticker",
    "conditions",
    "exchange",
    "participant_timestamp",
    "price",
    "sequence_number",
    "sip_timestamp",
    "size",
)
TAPES = {"1": "A", "2": "B", "3": "C"}
NO_PRINTS = {
    "10": "it cancels an earlier print and is none itself",
    "11": "it marks an earlier print as erroneous and is none itself",
    "12": "it corrects an earlier print and is none itself",
}
"""By the column `correction`. Prints that are corrected or cancelled later (1, 7, 8) were on the tape."""

DAY_ZONE = "America/New_York"


class MassiveTrades(FileSource):
    """One flat file of trades.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    TapewatchError
        It lacks a column.
    """

    in_time_order = False
    encoding = Encoding(
        "massive",
        (
            "sequence",
            "tape",
            "conditions",
            "conditions_raw",
            "price_eligible",
            "anchor_eligible",
            "volume_eligible",
            "tape_time",
        ),
        times=("tape_time",),
        extra=("exchange", "id", "trf_id", "correction"),
    )

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._names = fields_of(head_lines(path)[0], ",")
        missing = [name for name in REQUIRED if name not in self._names]
        if missing:
            raise TapewatchError(
                f"{path} lacks columns of Massive's trades: {', '.join(missing)}.",
                "Give a flat file of `us_stocks_sip/trades_v1`, or say with --map which column is what.",
            )

    def rows(self) -> Iterator[Rows]:
        """See `FileSource`."""
        conditions = Conditions()
        for text, rejected, position_bytes, _ in read_lines(self.path):
            cells, misfits = split(text, self._names, ",")
            absent = [name for name in ("id", "trf_id", "correction", "tape") if name not in self._names]
            trades, faults = _trades(
                cells.with_columns(pl.lit("").alias(name) for name in absent), conditions
            )
            bad = [*rejected, *misfits, *rejected_rows(faults, text)]
            yield Rows(trades, sorted(bad, key=lambda row: row.line), position_bytes)


def _trades(cells: pl.DataFrame, conditions: Conditions) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Convert rows; of those that are not trades, return the columns `line` and `reason`."""
    ticker, correction = pl.col("ticker"), pl.col("correction")
    rows = cells.select(
        "line",
        "conditions",
        "exchange",
        "id",
        "trf_id",
        "correction",
        symbol=pl.when(ticker.str.contains(PLAIN_TEXT)).then(ticker),
        sip=pl.col("sip_timestamp").cast(pl.Int64, strict=False),
        participant=pl.col("participant_timestamp").cast(pl.Int64, strict=False),
        sequence=pl.col("sequence_number").cast(pl.Int64, strict=False),
        tape=pl.col("tape").replace_strict(TAPES, default=None, return_dtype=pl.String),
    ).with_columns(
        numbers(cells["price"]).alias("price"),
        numbers(cells["size"]).alias("size"),
        tape_ns=pl.when(pl.col("sip") > 0).then("sip").otherwise("participant"),
        ts_event=pl.when(pl.col("participant") > 0).then("participant").otherwise("sip"),
    )
    reason = (
        pl.when(correction.is_in(list(NO_PRINTS)))
        .then(pl.format("correction {}: {}", correction, correction.replace_strict(NO_PRINTS, default="")))
        .when(pl.col("symbol").is_null())
        .then(pl.lit("ticker is not plain text of 1 to 256 characters"))
        .when(~(pl.col("ts_event") > 0).fill_null(value=False))
        .then(pl.lit("participant_timestamp and sip_timestamp are not ns since 1970"))
        .when(pl.col("price").is_null())
        .then(pl.lit("price is not a number"))
        .when(~(pl.col("size") >= 0).fill_null(value=False))
        .then(pl.lit("size is not a number of 0 or more"))
        .when(pl.col("sequence").is_null())
        .then(pl.lit("sequence_number is not a whole number"))
    )
    rows = rows.with_columns(reason=reason)
    is_bad = rows["reason"].is_not_null()
    good = rows.filter(~is_bad)
    day = (
        pl.col("tape_ns").cast(pl.Datetime("ns", "UTC")).dt.convert_time_zone(DAY_ZONE).dt.strftime("%Y%m%d")
    )
    trades = good.select(
        "line",
        "ts_event",
        pl.format("massive-{}-{}-{}", "symbol", day, "sequence").alias("trade_id"),
        "symbol",
        prices(good["price"]),
        sizes(good["size"]),
        pl.lit("N").alias("side"),
        "sequence",
        "tape",
        *conditions.columns(good["conditions"]),
        pl.when(pl.col("tape_ns") != pl.col("ts_event")).then("tape_ns").alias("tape_time"),
        *("exchange", "id", "trf_id", "correction"),
    )
    return trades, rows.filter(is_bad).select("line", "reason")
