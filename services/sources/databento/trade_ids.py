"""The `trade_id` of Databento's trades: the same on every replay, unique to a print.

`<publisher_id>-<instrument_id>-<YYYYMMDD of ts_event>-<sequence>`; where the sequence is 0, which says that
the venue has none, `t<ts_event in ns>` takes its place. Where a venue numbers its packets and not its prints,
and where the sequence is 0, the second print of the same id gets `-2` after it, the third `-3`, in the file's
order.

Two things are not covered: a file that is split between such prints (the second part counts from 1), and
equal ids that lie more than `MEMORY_TRADES` trades apart.
"""

from collections import Counter

import polars as pl

NUMBERS_PACKETS_IDS = (1, 57, 58, 84, 85, 97, 98, 99, 100, 101, 102, 103, 104)
"""Databento's numbers for the publishers of GLBX.MDP3, IFEU.IMPACT, NDEX.IMPACT, IFUS.IMPACT, IFLL.IMPACT,
XEUR.EOBI and XEEE.EOBI: a table, as reading a CSV file must not need Databento's package."""

MEMORY_TRADES = 1 << 16
"""How many trades of the file an id is remembered for, to number the next print of the same."""


class TradeIds:
    """Names the trades of one file, chunk after chunk."""

    def __init__(self) -> None:
        self._trades = 0
        self._recent = pl.DataFrame(schema={"at": pl.Int64, "base": pl.String, "ordinal": pl.Int64})

    def name(self, trades: pl.DataFrame) -> pl.Series:
        """Return the ids of a chunk's trades, String, in their order."""
        first, self._trades = self._trades, self._trades + len(trades)
        has_none = trades["sequence"] == 0
        number = pl.col("sequence")
        if has_none.any():
            number = pl.when(number == 0).then(pl.format("t{}", "ts_event")).otherwise(number.cast(pl.String))
        day = pl.col("ts_event").cast(pl.Datetime("ns")).dt.strftime("%Y%m%d")
        base = trades.select(pl.format("{}-{}-{}-{}", "publisher_id", "instrument_id", day, number))
        ids = base.to_series().alias("trade_id")
        is_counted = has_none | trades["publisher_id"].is_in(NUMBERS_PACKETS_IDS)
        if not is_counted.any():
            return ids
        ordinals = self._ordinals(
            pl.DataFrame(
                {"at": pl.int_range(first, self._trades, eager=True), "base": ids, "is_counted": is_counted}
            ).filter("is_counted")
        )
        later = ordinals.filter(pl.col("ordinal") > 1)
        return ids.scatter(
            later["at"] - first, later.select(pl.format("{}-{}", "base", "ordinal")).to_series()
        )

    def _ordinals(self, counted: pl.DataFrame) -> pl.DataFrame:
        """Count trades of the same `base` in the order of `at`, into columns `at`, `base` and `ordinal`.

        Of earlier chunks, the last trade of each is known with its ordinal. A trade too far behind the one
        before it counts from 1 again, wherever the chunks were cut.
        """
        numbered = (
            pl.concat([self._recent, counted.select("at", "base", ordinal=pl.lit(None, pl.Int64))])
            .with_columns(is_first=(pl.col("at").diff() > MEMORY_TRADES).fill_null(value=True).over("base"))
            .with_columns(run=pl.col("is_first").cum_sum().over("base"))
            .with_columns(
                ordinal=pl.col("ordinal").first().over("base", "run").fill_null(1)
                + pl.int_range(pl.len()).over("base", "run")
            )
            .select("at", "base", "ordinal")
        )
        self._recent = numbered.filter(pl.col("at") >= self._trades - MEMORY_TRADES).unique(
            "base", keep="last", maintain_order=True
        )
        return numbered.filter(pl.col("at") >= counted["at"][0])


class PrintIds:
    """Names the trades of a stream, one by one; a trade has the id that it has in a file.

    Of a replay that begins within a packet, the first packet's trades are counted from 1.
    """

    def __init__(self) -> None:
        self._recent: Counter[str] = Counter()
        self._earlier: Counter[str] = Counter()

    def name(self, publisher_id: int, instrument_id: int, day: str, sequence: int, ts_event: int) -> str:
        """Return the id of the next trade.

        Parameters
        ----------
        publisher_id, instrument_id, sequence, ts_event
            As Databento has them.
        day
            That of `ts_event`, as YYYYMMDD.
        """
        if sequence and publisher_id not in NUMBERS_PACKETS_IDS:
            return f"{publisher_id}-{instrument_id}-{day}-{sequence}"
        base = f"{publisher_id}-{instrument_id}-{day}-{sequence or f't{ts_event}'}"
        ordinal = self._recent[base] = (self._recent[base] or self._earlier[base]) + 1
        if len(self._recent) >= MEMORY_TRADES:
            self._earlier, self._recent = self._recent, Counter()
        return base if ordinal == 1 else f"{base}-{ordinal}"
