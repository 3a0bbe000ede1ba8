"""The price grid of US shares, by Regulation NMS, Rule 612: a cent, below one dollar a hundredth of it."""

import numpy as np

from services.sources.columns import PRICE_SCALE

TICK_NANOS = PRICE_SCALE // 100
TICK_BELOW_ONE_NANOS = PRICE_SCALE // 10_000


def tick_of(price_nanos: np.ndarray | int) -> np.ndarray:
    """Return the tick at each price, in 1e-9 dollars."""
    return np.where(np.abs(price_nanos) >= PRICE_SCALE, TICK_NANOS, TICK_BELOW_ONE_NANOS)


def on_grid(price_nanos: np.ndarray | float) -> np.ndarray:
    """Round prices in 1e-9 dollars to their grid; never below one tick."""
    price = np.asarray(price_nanos, np.float64)
    tick = tick_of(price)
    prices: np.ndarray = (np.maximum(1, np.rint(price / tick)) * tick).astype(np.int64)
    return prices
