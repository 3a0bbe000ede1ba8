"""How many decimals prices and sizes are shown with."""

import pandas as pd

from dashboard.ui.prices import price_text, tick_decimals

_WHOLE = "localized"
"""Format of a column of whole numbers."""


def price_texts(prices: pd.Series, symbols: pd.Series) -> list[str]:
    """Write prices with the decimals of their symbol's tick, or with all that one has if these are more."""
    digits = {symbol: tick_decimals(some) for symbol, some in prices.groupby(symbols)}
    return [price_text(price, digits[symbol]) for price, symbol in zip(prices, symbols, strict=True)]


def decimals_of(*prices: float | None) -> int:
    """Return the decimals of the tick, as far as these prices tell, those that there are."""
    return tick_decimals(pd.Series([price for price in prices if price is not None], dtype="float64"))


def size_format(sizes: pd.Series) -> str:
    """Return the format of a column that shows every size in full, with 9 decimals at most."""
    digits = next((digits for digits in range(9) if _are_whole(sizes, digits)), 9)
    return f"%.{digits}f" if digits else _WHOLE


def _are_whole(values: pd.Series, digits: int) -> bool:
    """Whether no value has more decimals than so many."""
    return bool(((values - values.round(digits)).abs() < 1e-10).all())
