"""What features remember of a session, and what is measured of a trade: two fixed record types.

A session's record is its complete state, so any cut into batches gives the same bits, and saving its bytes is
enough to resume it. It has no running sums over windows: these would drift after a wrong price.
"""

import numpy as np

TRADES_BACK = (1, 10, 50, 200)
"""Returns are taken over so many trades."""
WINDOWS = (50, 200)
"""Trades in the windows of the other features."""
LONGEST = 200
ENVELOPE_SHARE = 0.1
"""Share of the prices on either side of the envelope."""
TRADES_KEPT = 256
"""A power of two, above the longest window and one."""

HORIZONS = {"50ms": 50_000_000, "1s": 1_000_000_000, "10s": 10_000_000_000, "60s": 60_000_000_000}
"""Times over which returns and numbers are taken, ns."""
PARTS = 20
"""A horizon is cut into so many parts: what is taken over it reaches back by one part more at most."""
PARTS_KEPT = 64
"""A power of two, above twice the parts of a horizon and two."""
PAST_WINDOWS = 30
"""Whole horizons in a row that the present one is compared with."""
LEAST_PAST = 5

BARS = 20
"""Bars in the windows of the bars' features."""

_COUNT = len(HORIZONS)

STATE = np.dtype(
    [
        ("midnight_ns", "i8"),
        ("open_ns", "i8"),
        ("close_ns", "i8"),
        ("trades", "i8"),
        ("last_ns", "i8"),
        ("time_ties", "i8"),
        # Prices: the last ones, with the shares that traded there, and the longest window's in their order
        ("priced", "i8"),
        ("price", "f8", (TRADES_KEPT,)),
        ("log_price", "f8", (TRADES_KEPT,)),
        ("weight", "f8", (TRADES_KEPT,)),
        ("sorted", "f8", (LONGEST,)),
        ("price_ties", "i8"),
        ("tick_run", "i8"),
        ("session_weight", "f8"),
        ("session_worth", "f8"),
        # Sizes
        ("sized", "i8"),
        ("size", "f8", (TRADES_KEPT,)),
        ("side", "i8", (TRADES_KEPT,)),
        ("side_run", "i8"),
        # Parts of horizons: how many there were, and at the end of each its number, the price, and trades and
        # shares since the session's start; the newest one a horizon ago, and two ago; where counting began
        ("total_shares", "f8"),
        ("parts", "i8", (_COUNT,)),
        ("part", "i8", (_COUNT, PARTS_KEPT)),
        ("part_price", "f8", (_COUNT, PARTS_KEPT)),
        ("part_trades", "f8", (_COUNT, PARTS_KEPT)),
        ("part_shares", "f8", (_COUNT, PARTS_KEPT)),
        ("near", "i8", (_COUNT,)),
        ("far", "i8", (_COUNT,)),
        ("base_trades", "f8", (_COUNT,)),
        ("base_shares", "f8", (_COUNT,)),
        # Whole horizons: the present one's number, trades and shares, and those of the past ones
        ("window", "i8", (_COUNT,)),
        ("window_trades", "f8", (_COUNT,)),
        ("window_shares", "f8", (_COUNT,)),
        ("past", "i8", (_COUNT,)),
        ("past_trades", "f8", (_COUNT, PAST_WINDOWS)),
        ("past_shares", "f8", (_COUNT, PAST_WINDOWS)),
        ("mean_trades", "f8", (_COUNT,)),
        ("deviation_trades", "f8", (_COUNT,)),
        ("mean_shares", "f8", (_COUNT,)),
        ("deviation_shares", "f8", (_COUNT,)),
        # Bars
        ("bars", "i8"),
        ("bar_log_close", "f8", (BARS + 1,)),
        ("bar_volume", "f8", (BARS,)),
        ("bar_typical", "f8", (BARS,)),
    ],
    align=True,
)
"""One session: 22 kB."""

FROM_CALENDAR = ("midnight_ns", "open_ns", "close_ns")
"""Fields that come from the calendar, not from trades; 0 where there is none."""

MOMENT = np.dtype(
    [
        ("clock_s", "f8"),
        ("open_s", "f8"),
        ("close_s", "f8"),
        ("gap_s", "f8"),
        ("time_ties", "f8"),
        ("price", "f8"),
        ("log_price", "f8"),
        ("log_back", "f8", (len(TRADES_BACK),)),
        ("returns", "f8", (len(WINDOWS),)),
        ("squares", "f8", (len(WINDOWS),)),
        ("total", "f8", (len(WINDOWS),)),
        ("pairs", "f8", (len(WINDOWS),)),
        ("products", "f8", (len(WINDOWS),)),
        ("low", "f8", (len(WINDOWS),)),
        ("high", "f8", (len(WINDOWS),)),
        ("weight", "f8", (len(WINDOWS),)),
        ("worth", "f8", (len(WINDOWS),)),
        ("session_weight", "f8"),
        ("session_worth", "f8"),
        ("middle", "f8"),
        ("envelope_low", "f8"),
        ("envelope_high", "f8"),
        ("price_ties", "f8"),
        ("tick_run", "f8"),
        ("size", "f8"),
        ("sizes", "f8", (len(WINDOWS),)),
        ("size_base", "f8"),
        ("size_beyond", "f8", (len(WINDOWS),)),
        ("size_squares", "f8", (len(WINDOWS),)),
        ("bought", "f8", (len(WINDOWS),)),
        ("sold", "f8", (len(WINDOWS),)),
        ("side_run", "f8"),
        ("log_ago", "f8", (_COUNT,)),
        ("near_trades", "f8", (_COUNT,)),
        ("near_shares", "f8", (_COUNT,)),
        ("far_trades", "f8", (_COUNT,)),
        ("far_shares", "f8", (_COUNT,)),
        ("mean_trades", "f8", (_COUNT,)),
        ("deviation_trades", "f8", (_COUNT,)),
        ("mean_shares", "f8", (_COUNT,)),
        ("deviation_shares", "f8", (_COUNT,)),
        ("bar_return", "f8"),
        ("bar_volatility", "f8"),
        ("bar_volume", "f8"),
        ("bar_mean_volume", "f8"),
        ("bar_deviation_volume", "f8"),
        ("bar_low", "f8"),
        ("bar_high", "f8"),
        ("bar_close", "f8"),
        ("bar_vwap", "f8"),
    ]
)
"""What features are computed from, all float64; not a number where there is nothing to measure.

- `clock_s`, `open_s`, `close_s`: since midnight, since the opening and until the closing auction; `gap_s`:
  since the trade before; `time_ties`, `price_ties`: how many trades in a row had this time, this price.
- `log_back`: log prices `TRADES_BACK` trades ago; `log_ago`: a horizon ago.
- Of the windows before the trade: `returns`, `squares`, `total`: number of one-trade log returns, the sum of
  their squares, their sum; `pairs`, `products`: of neighbouring ones; `low`, `high`: least and highest price;
  `weight`, `worth`: shares and their value; `session_*`: the same since the session's start.
- `middle`, `envelope_low`, `envelope_high`: median of the prices of the longest window before the trade, and
  the bounds that leave `ENVELOPE_SHARE` on either side.
- `tick_run`: price changes in a row in one direction, falling ones negative; `side_run`: trades in a row from
  one side, sells negative, 0 without a side.
- `sizes`, `size_beyond`, `size_squares`, `bought`, `sold`: number of sizes in the windows before the trade,
  the sum of their distances from `size_base` and of the squares of these, which is exact where all sizes are
  equal, shares bought and sold by the aggressor.
- `near_*`, `far_*`: trades and shares in the horizon up to this trade, itself included, and in the one
  before; `mean_*`, `deviation_*`: of the past whole horizons.
- `bar_*`: of a bar; see the features.
"""
