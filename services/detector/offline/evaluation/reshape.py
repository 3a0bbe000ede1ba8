"""Other kinds of stock made from a real day: what is natural for one stock is not for another.

Each reshaping takes a day's trades as the sources give them and returns such trades; of several symbols each
is reshaped separately.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from services.sources.ticks import on_grid

LOW_DOLLARS = 4.0  # a tick of one cent is 25 basis points
HIGH_DOLLARS = 3_500.0
THIN_TRADES = 7_000
FLURRY_GAP_NS = 5_000_000
"""Trades that follow each other more closely belong together: a sweep, and those who answer it."""


@dataclass(frozen=True)
class StockKind:
    """A kind of stock.

    Parameters
    ----------
    name
        In the report.
    reshape
        From a day's trades and a seed to trades of this kind.
    days_per_run
        Days made from each real one for each run, all different: a thin stock has only a few anomalies a day,
        too few to tell much. 1 where the reshaping is not random.
    """

    name: str
    reshape: Callable[[pl.DataFrame, int | Sequence[int]], pl.DataFrame]
    days_per_run: int = 1


def at_price(trades: pl.DataFrame, dollars: float) -> pl.DataFrame:
    """Move each symbol to another price level, on the grid there.

    Dearer shares trade in smaller sizes: neither as many shares nor as many dollars as before, but halfway
    (sizes shrink by the root of the factor). Cheaper ones keep their sizes.

    Parameters
    ----------
    trades
        A day's trades.
    dollars
        The new median price.
    """
    factor = dollars * 1e9 / pl.col("price").median().over("symbol")
    changed = trades.select(price=pl.col("price") * factor, shrink=factor.sqrt().clip(lower_bound=1.0))
    size = (trades["size"] / changed["shrink"]).to_numpy()
    return trades.with_columns(
        price=pl.Series(on_grid(changed["price"].to_numpy())),
        size=pl.Series(np.where(trades["size"] > 0, np.maximum(1, np.rint(size)), 0).astype(np.int64)),
    )


def thin(trades: pl.DataFrame, count: int, seed: int | Sequence[int]) -> pl.DataFrame:
    """Keep about `count` trades of each symbol: whole flurries of them, chosen by chance.

    Single trades by chance would tear sweeps apart: a thin stock has fewer sweeps, not shorter ones.

    Parameters
    ----------
    trades
        A day's trades.
    count
        Trades that remain, up to the length of the last flurry more; symbols with less stay as they are.
    seed
        Decides which.
    """
    rng = np.random.default_rng(seed)
    keep = np.zeros(len(trades), np.bool_)
    symbols = trades.select("symbol").with_row_index("row").group_by("symbol", maintain_order=True)
    for rows in symbols.agg("row")["row"]:
        row = rows.to_numpy()
        ts = trades["ts_event"].to_numpy()[row]
        flurry = np.cumsum(np.diff(ts, prepend=ts[0]) > FLURRY_GAP_NS)
        length = np.bincount(flurry)
        order = rng.permutation(len(length))
        before = np.cumsum(length[order]) - length[order]
        keep[row] = np.isin(flurry, order[before < count])
    return trades.filter(keep)


STOCK_KINDS = (
    StockKind("as it is", lambda trades, _: trades),
    StockKind(f"{LOW_DOLLARS:,.0f} dollars", lambda trades, _: at_price(trades, LOW_DOLLARS)),
    StockKind(f"{THIN_TRADES:,} trades", lambda trades, seed: thin(trades, THIN_TRADES, seed), 10),
    StockKind(f"{HIGH_DOLLARS:,.0f} dollars", lambda trades, _: at_price(trades, HIGH_DOLLARS)),
)
"""The day itself first."""
