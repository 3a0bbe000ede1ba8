"""The `trade_id` of Databento's trades: the same on every replay, unique to a print.

`<publisher_id>-<instrument_id>-<YYYYMMDD of ts_event>-<sequence>`. Where a venue numbers its packets and
not its prints, the second print of a number gets `-2` after it, the third `-3`, in the file's order.
"""

import polars as pl

NUMBERS_PACKETS_IDS = (1, 57, 58, 84, 85, 97, 98, 99, 100, 101, 102, 103, 104)
"""Databento's numbers for the publishers of GLBX.MDP3, IFEU.IMPACT, NDEX.IMPACT, IFUS.IMPACT, IFLL.IMPACT,
XEUR.EOBI and XEEE.EOBI: a table, as reading a CSV file must not need Databento's package."""


class TradeIds:
    """Names the trades of one file, chunk after chunk."""

    def __init__(self) -> None:
        self._last_prints = pl.DataFrame(
            schema={
                "publisher_id": pl.Int64,
                "instrument_id": pl.Int64,
                "base": pl.String,
                "prints": pl.Int64,
            }
        )

    def name(self, trades: pl.DataFrame) -> pl.Series:
        """Return the ids of a chunk's trades, String, in their order."""
        base = trades.select(
            "publisher_id",
            "instrument_id",
            base=pl.format(
                "{}-{}-{}-{}",
                "publisher_id",
                "instrument_id",
                pl.col("ts_event").cast(pl.Datetime("ns")).dt.strftime("%Y%m%d"),
                "sequence",
            ),
        )
        if not base["publisher_id"].is_in(NUMBERS_PACKETS_IDS).any():
            return base["base"].alias("trade_id")
        # A packet's prints of one instrument follow each other, perhaps into the next chunk.
        counted = base.join(
            self._last_prints, on=["publisher_id", "instrument_id", "base"], how="left", maintain_order="left"
        ).with_columns(prints=pl.int_range(1, pl.len() + 1).over("base") + pl.col("prints").fill_null(0))
        keys = ["publisher_id", "instrument_id"]
        last = counted.group_by(keys, maintain_order=True).last()
        self._last_prints = pl.concat([self._last_prints.join(last, on=keys, how="anti"), last])
        has_ordinal = pl.col("publisher_id").is_in(NUMBERS_PACKETS_IDS) & (pl.col("prints") > 1)
        return counted.select(
            trade_id=pl.when(has_ordinal).then(pl.format("{}-{}", "base", "prints")).otherwise("base")
        ).to_series()
