"""Transforms a real day into days of other kinds of stock, because what is normal differs between stocks.

Each function takes and returns a day's trades as the sources yield them; each symbol is transformed
separately.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from services.sources.ticks import on_grid

LOW_DOLLARS = 4.0  # a tick of one cent is 25 basis points
HIGH_DOLLARS = 3_500.0
THIN_TRADES = 7_000
CLUSTER_GAP_NS = 5_000_000
"""Trades with shorter gaps belong together: a sweep, and the reactions to it."""


@dataclass(frozen=True)
class StockKind:
    """A kind of stock.

    Parameters
    ----------
    name
        Name in the report.
    reshape
        Function from a day's trades and a seed to trades of this kind.
    days_per_run
        Number of different days made from each real day in each run. A thin stock has only a few anomalies a
        day, too few for reliable figures. 1 if the transformation is not random.
    """

    name: str
    reshape: Callable[[pl.DataFrame, int | Sequence[int]], pl.DataFrame]
    days_per_run: int = 1


def at_price(trades: pl.DataFrame, dollars: float) -> pl.DataFrame:
    """Move each symbol to another price level, on the tick grid of that level.

    More expensive shares trade in smaller sizes: between the same number of shares and the same value (sizes
    are divided by the square root of the price factor). Cheaper shares keep their sizes.

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
    """Keep about `count` trades of each symbol: whole clusters of trades, chosen at random.

    Choosing single trades at random would split sweeps: a thin stock has fewer sweeps, not shorter ones.

    Parameters
    ----------
    trades
        A day's trades.
    count
        Number of trades to keep, at most exceeded by the last cluster; symbols with fewer trades keep all.
    seed
        Random seed.
    """
    rng = np.random.default_rng(seed)
    keep = np.zeros(len(trades), np.bool_)
    symbols = trades.select("symbol").with_row_index("row").group_by("symbol", maintain_order=True)
    for rows in symbols.agg("row")["row"]:
        row = rows.to_numpy()
        ts = trades["ts_event"].to_numpy()[row]
        cluster = np.cumsum(np.diff(ts, prepend=ts[0]) > CLUSTER_GAP_NS)
        length = np.bincount(cluster)
        order = rng.permutation(len(length))
        before = np.cumsum(length[order]) - length[order]
        keep[row] = np.isin(cluster, order[before < count])
    return trades.filter(keep)


STOCK_KINDS = (
    StockKind("as it is", lambda trades, _: trades),
    StockKind(f"{LOW_DOLLARS:,.0f} dollars", lambda trades, _: at_price(trades, LOW_DOLLARS)),
    StockKind(f"{THIN_TRADES:,} trades", lambda trades, seed: thin(trades, THIN_TRADES, seed), 10),
    StockKind(f"{HIGH_DOLLARS:,.0f} dollars", lambda trades, _: at_price(trades, HIGH_DOLLARS)),
)
"""The unchanged day comes first."""
