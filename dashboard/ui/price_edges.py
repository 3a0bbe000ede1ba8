"""The texts of prints whose prices are beyond a price axis, at its edge."""

import pandas as pd

from dashboard.ui.prices import PriceRange, price_text


def edge_texts(
    places: pd.Series, prices: pd.Series, shown: PriceRange, decimals: int, near: float
) -> pd.Series:
    """Return what stands at the edge for each print, such as `▲ 1,444.90`, so that no two texts meet.

    Parameters
    ----------
    places
        Where each is on the other axis, as numbers, shape (n,).
    prices
        Beyond the axis, shape (n,).
    shown
        What the axis shows.
    decimals
        Of the tick.
    near
        How much of the other axis a text takes; of prints closer together only the farthest has its price.
    """
    is_above = prices > shown.high
    distance = (prices - (shown.low + shown.high) / 2).abs()
    kept: list[int] = []
    for at in distance.sort_values(ascending=False).index:
        if all(is_above[at] != is_above[one] or abs(places[at] - places[one]) >= near for one in kept):
            kept.append(at)
    texts = [
        ("▲" if above else "▼") + (f" {price_text(price, decimals)}" if at in kept else "")
        for at, above, price in zip(prices.index, is_above, prices, strict=True)
    ]
    return pd.Series(texts, prices.index, dtype="object")
