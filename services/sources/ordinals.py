"""Numbers prints that a file cannot tell apart: those of one symbol and time, in the file's order."""

import polars as pl


class Ordinals:
    """Counts the prints of each symbol and time through one file, chunk after chunk.

    The numbers depend on the file's rows alone, not on how they are cut into chunks. A file sorted by time
    needs little memory; of any file, 8 bytes a row are kept so that a time may come again later.
    """

    def __init__(self) -> None:
        self._latest = pl.DataFrame(schema={"symbol": pl.String, "latest_ns": pl.Int64, "prints": pl.UInt32})
        self._seen: list[pl.Series] = []

    def number(self, prints: pl.DataFrame) -> pl.Series:
        """Return 1 for the first print of a symbol and time, 2 for the second, …; Int64, n values.

        Parameters
        ----------
        prints
            Columns `symbol` and `ts_event`, n rows, without nulls.
        """
        keyed = prints.select(
            "symbol", "ts_event", key=pl.struct("symbol", "ts_event").hash(), row=pl.int_range(pl.len())
        ).join(self._latest, on="symbol", how="left", maintain_order="left")
        before = pl.when(pl.col("ts_event") == pl.col("latest_ns")).then("prints").otherwise(0)
        keyed = keyed.with_columns(before=before.cast(pl.Int64))
        back = keyed.filter(pl.col("ts_event") < pl.col("latest_ns"))["key"].unique()
        if len(back) and self._seen:
            earlier = pl.concat(self._seen)
            counts = earlier.filter(earlier.is_in(back.implode())).value_counts(name="counted")
            keyed = keyed.join(counts, on="key", how="left", maintain_order="left").with_columns(
                before=pl.when(pl.col("ts_event") < pl.col("latest_ns"))
                .then(pl.col("counted").fill_null(0).cast(pl.Int64))
                .otherwise("before")
            )
        ordinals = keyed.select(pl.int_range(1, pl.len() + 1).over("key") + pl.col("before")).to_series()
        latest = (
            keyed.with_columns(ordinal=ordinals)
            .group_by("symbol", "ts_event")
            .agg(pl.col("ordinal").max().cast(pl.UInt32).alias("prints"))
            .rename({"ts_event": "latest_ns"})
        )
        self._latest = (
            pl.concat([self._latest, latest.select(self._latest.columns)])
            .sort("latest_ns", "prints")
            .unique("symbol", keep="last", maintain_order=True)
        )
        self._seen.append(keyed["key"].rename("key"))
        return ordinals.alias("ordinal")
