"""One symbol's natural day, as the kinds of events see it."""

import numpy as np
import polars as pl

from services.sources.ticks import on_grid

NS_PER_S = 1_000_000_000
MINUTE_NS = 60 * NS_PER_S

RECENT_TRADES = 500
"""Trades whose sizes are the usual ones at a place."""

SIZE_QUANTILE = 0.999  # sizes beyond it are clipped, so that an auction does not dominate a mean
PRICE_TRADES = 5
CROSS_WINDOW_NS = MINUTE_NS
CROSS_LEAST_MEANS = 30
BY_TIME = 0.5
"""Share of places that are drawn uniformly over time; the others are uniform over the trades."""


class Tape:
    """A symbol's trades of a day, in the file's order; all arrays have the shape (trades,).

    Parameters
    ----------
    trades
        The symbol's trades as the sources yield them, at least one.
    row
        The row of each in the day's table.
    opening_ns, closing_ns
        When the auctions are, in ns since 1970; 0 if the day has none.
    """

    def __init__(self, trades: pl.DataFrame, row: np.ndarray, opening_ns: int, closing_ns: int) -> None:
        self.row = row
        self.ts, self.price, self.size = (trades[name].to_numpy() for name in ("ts_event", "price", "size"))
        self.side = trades["side"].to_numpy().astype("U1")
        self.received = trades["ts_recv"].to_numpy() if "ts_recv" in trades.columns else None
        self.latest = np.maximum.accumulate(self.ts)
        self.opening_ns, self.closing_ns = opening_ns, closing_ns
        self.usual_size = np.minimum(self.size, max(1.0, np.quantile(self.size, SIZE_QUANTILE)))
        self._shares_before = np.concatenate(([0.0], np.cumsum(self.usual_size)))

    def __len__(self) -> int:
        return len(self.ts)

    @property
    def first_ns(self) -> int:
        """When the first trade is."""
        return int(self.ts[0])

    @property
    def last_ns(self) -> int:
        """When the last trade is."""
        return int(self.latest[-1])

    def hours(self, name: str) -> tuple[int, int]:
        """Return the limits of `pre`, `regular` or `after` hours, or of `any`; empty if the day has none."""
        opening, closing = self.opening_ns, self.closing_ns
        if name == "any" or not opening:
            return (self.first_ns, self.last_ns) if name in ("any", "regular") else (0, 0)
        return {
            "pre": (self.first_ns, opening),
            "regular": (opening, closing),
            "after": (closing, self.last_ns),
        }[name]

    def draw_time(self, rng: np.random.Generator, hours: str) -> int | None:
        """Draw a time within the hours, half of them uniformly over time; None if there are no trades."""
        first, last = self.hours(hours)
        low, high = np.searchsorted(self.latest, (first, last))
        if low >= high:
            return None
        if rng.random() < BY_TIME:
            return int(rng.integers(first, last))
        return int(self.latest[rng.integers(low, high)])

    def place_at(self, ts_ns: int) -> int:
        """Return the place of the last trade up to a time; -1 if there is none."""
        return int(np.searchsorted(self.latest, ts_ns, side="right")) - 1

    def places_at(self, ts_ns: np.ndarray) -> np.ndarray:
        """Return `place_at` of many times."""
        places: np.ndarray = np.searchsorted(self.latest, ts_ns, side="right") - 1
        return places

    def between(self, start_ns: int, stop_ns: int) -> np.ndarray:
        """Return the places of the trades from a time up to, but without, another."""
        return np.arange(*np.searchsorted(self.latest, (start_ns, stop_ns)))

    def price_at(self, place: int) -> int:
        """Return the market's price at a place in 1e-9 dollars: the median of the last few, on the grid."""
        return int(on_grid(np.median(self.price[max(0, place + 1 - PRICE_TRADES) : place + 1])))

    def prices_at(self, places: np.ndarray) -> np.ndarray:
        """Return `price_at` of many places."""
        return np.array([self.price_at(int(place)) for place in places], np.int64)

    def mean_size(self, place: int) -> float:
        """Return the mean size in shares of the recent trades."""
        first = max(0, place + 1 - RECENT_TRADES)
        return float(self._shares_before[place + 1] - self._shares_before[first]) / (place + 1 - first)

    def sample_sizes(self, rng: np.random.Generator, place: int, count: int) -> np.ndarray:
        """Draw sizes of recent trades."""
        chosen = rng.integers(max(0, place + 1 - RECENT_TRADES), place + 1, count)
        sizes: np.ndarray = np.maximum(1, self.usual_size[chosen]).astype(np.int64)
        return sizes

    def sample_sides(self, rng: np.random.Generator, place: int, count: int) -> np.ndarray:
        """Draw sides of recent trades."""
        sides: np.ndarray = self.side[rng.integers(max(0, place + 1 - RECENT_TRADES), place + 1, count)]
        return sides

    def sample_gaps(self, rng: np.random.Generator, longest_ns: int, count: int) -> np.ndarray:
        """Draw a run of gaps between trades of the real day, in ns, without those beyond `longest_ns`."""
        gaps = np.diff(self.latest)
        gaps = gaps[gaps <= longest_ns]
        if not len(gaps):
            return np.zeros(count, np.int64)
        sampled: np.ndarray = gaps[(int(rng.integers(len(gaps))) + np.arange(count)) % len(gaps)]
        return sampled

    def cross(self, auction_ns: int) -> int | None:
        """Return the place of an auction's print, the largest without a side soon after; None without one."""
        places = self.between(auction_ns, auction_ns + CROSS_WINDOW_NS) if auction_ns else np.zeros(0, int)
        places = places[self.side[places] == "N"]
        if not len(places):
            return None
        place = int(places[np.argmax(self.size[places])])
        if place == 0 or self.size[place] < CROSS_LEAST_MEANS * self.mean_size(place - 1):
            return None
        return place
