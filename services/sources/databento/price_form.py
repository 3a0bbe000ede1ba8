"""Tells from a column whether prices are readable (137.97) or whole numbers of 1e-9 (137970000000)."""

from pathlib import Path

import polars as pl

from services.common.errors import TapewatchError
from services.sources.databento.schema import UNDEFINED_PRICE
from services.sources.options import PriceForm

LEAST_UNLIKELY_PRICE = 10**8
"""A readable price of more is taken for a whole number of 1e-9, which begin with 0.1 there."""

LEAST_UNLIKELY_FIXED = 10**5
"""A whole number of 1e-9 of less is taken for a readable price; it would be below 0.0001."""


class PriceCounts:
    """Counts how the prices of a column are written, chunk after chunk."""

    def __init__(self) -> None:
        self._pointed = 0  # with a point, a comma or an exponent
        self._small = 0  # whole, below `LEAST_UNLIKELY_FIXED`
        self._between = 0
        self._large = 0  # whole, from `LEAST_UNLIKELY_PRICE` on

    def add(self, prices: pl.Series) -> None:
        """Count some of the column's cells; those that are no numbers, undefined or 0 show nothing."""
        is_pointed = prices.str.contains(r"^[+-]?\d*[.,]\d+$|^[+-]?\d+\.?\d*[eE][+-]?\d+$")
        self._pointed += int(is_pointed.sum())
        whole = prices.cast(pl.Int64, strict=False).abs().reinterpret(signed=False).drop_nulls()
        whole = whole.filter((whole != 0) & (whole != UNDEFINED_PRICE))
        small, large = int((whole < LEAST_UNLIKELY_FIXED).sum()), int((whole >= LEAST_UNLIKELY_PRICE).sum())
        self._small += small
        self._large += large
        self._between += len(whole) - small - large

    @property
    def are_surely_decimal(self) -> bool:
        """Whether a price has a point, and whole numbers of 1e-9 are no majority."""
        return self._pointed > 0 and self._pointed + self._small >= self._large

    def form(self, path: Path) -> PriceForm:
        """Decide for the column.

        Raises
        ------
        TapewatchError
            Both readings are possible.
        """
        if self.are_surely_decimal:
            return "decimal"
        # Most of them have to be beyond doubt, and none may speak for the other reading.
        if self._large > self._between + self._small:
            return "fixed"
        if self._small >= self._between and not self._large:
            return "decimal"
        raise TapewatchError(
            f"{path}: its prices are whole numbers that may be prices, or units of 1e-9.",
            "Say which with --prices decimal or --prices fixed.",
        )
