"""The calibrated detectors' state of a session, and their measures of a trade: two fixed record types.

A session's record and its forest's rows are its complete state, so any cut into batches gives the same bits,
and saving their bytes is enough to resume it.
"""

import numpy as np

from services.detector.engine.batch import SIDE_CODES

SECOND_NS = 1_000_000_000
NATURAL_CROSS, CROSS_AWAY = 1, 2
SELL, BUY, HIDDEN = SIDE_CODES["A"], SIDE_CODES["B"], SIDE_CODES["N"]

PRICES = 16
"""Recent prices kept; a power of two."""
MOVES = 16
"""Price changes from which the step of a session's prices is learnt."""
ANCHORS = 4
"""Spaced prices kept."""
SAMPLES = 32
"""Prices kept of the last seconds, one a second; a power of two."""
BURST_TIMES = 512
"""Distinct times kept; a power of two. More within the window count as so many."""
FOREST_ROWS = 4096
"""Rows of forest features kept: a fit's window and the trades after it; a power of two."""
FOREST_FEATURES = 3
PARTS = 4
PRICE, SIZE, BURST, FOREST = range(PARTS)

STATE = np.dtype(
    [
        ("trades", "i8"),
        ("pace_ns", "i8"),
        ("pace", "f8"),
        ("usual_pace", "f8"),
        ("priced", "i8"),
        ("sized", "i8"),
        ("last_ns", "i8"),
        ("second_last_ns", "i8"),
        ("size_ns", "i8"),
        ("last_price", "f8"),
        ("last_side", "i8"),
        ("tails", "f8", (PARTS, 4)),
        # Off-market price
        ("tick", "f8"),
        ("least_move", "f8"),
        ("grid_step", "f8"),
        ("moves", "f8", (MOVES,)),
        ("move_count", "i8"),
        ("change_ns", "i8"),
        ("prices", "f8", (PRICES,)),
        ("anchors", "f8", (ANCHORS,)),
        ("anchor_ns", "i8", (ANCHORS,)),
        ("anchor_count", "i8"),
        ("dispersion", "f8"),
        ("variance", "f8"),
        ("changes", "f8"),
        ("step", "f8"),
        ("off_grid", "f8"),
        ("off_grid_ns", "i8"),
        ("off_grid_share", "f8"),
        ("bad_distance", "f8"),
        ("bad_trade", "i8"),
        ("bad_price", "f8"),
        ("bad_middle", "f8"),
        ("run_trade", "i8"),
        ("joined_until_ns", "i8"),
        ("left_level", "f8"),
        ("left_ns", "i8"),
        ("level_ratio", "f8"),
        ("largest_move", "f8"),
        ("is_off_coarse_grid", "i8"),
        ("first_ns", "i8"),
        ("first_price", "f8"),
        ("is_early_told", "i8"),
        # Unusual size: means over 30, 200 and 1000 trades; the least size so far (1 at most), and the sum
        # until one has decimals; shares and trades of 50 ms, 1 s and 30 s, decaying
        ("mean30", "f8"),
        ("mean200", "f8"),
        ("mean1000", "f8"),
        ("least_size", "f8"),
        ("size_sum", "f8"),
        ("is_fractional", "i8"),
        ("side_runs", "f8"),
        ("context", "f8"),
        ("shares_50ms", "f8"),
        ("trades_50ms", "f8"),
        ("shares_1s", "f8"),
        ("trades_1s", "f8"),
        ("shares_30s", "f8"),
        ("trades_30s", "f8"),
        ("day_shares", "f8"),
        ("largest_size", "f8"),
        ("usual_shares", "f8"),
        # Auctions
        ("open_ns", "i8"),
        ("close_ns", "i8"),
        ("open_cross", "f8"),
        ("close_cross", "f8"),
        ("beat_open_ns", "i8"),
        ("beat_close_ns", "i8"),
        # Burst
        ("burst_ns", "i8", (BURST_TIMES,)),
        ("burst_price", "f8", (BURST_TIMES,)),
        ("burst_trade", "i8", (BURST_TIMES,)),
        ("burst_path", "f8", (BURST_TIMES,)),
        ("burst_head", "i8"),
        ("burst_tail", "i8"),
        ("path", "f8"),
        ("cluster_start_ns", "i8"),
        ("cluster_max", "f8"),
        ("cluster_rate", "f8"),
        # Fast market: the prices at the last seconds and their range, trades of this second and decaying, the
        # usual ones in units of the time of the day, and since when it is one, from where, how far
        ("sampled_ns", "i8"),
        ("sample_ns", "i8", (SAMPLES,)),
        ("sample_price", "f8", (SAMPLES,)),
        ("sample_count", "i8"),
        ("range", "f8"),
        ("usual_range", "f8"),
        ("usual_now", "f8"),
        ("second_trades", "f8"),
        ("pace_count", "f8"),
        ("heavy_count", "f8"),
        ("usual_count", "f8"),
        ("is_busy", "i8"),
        ("is_fast", "i8"),
        ("fast_ns", "i8"),
        ("fast_last_ns", "i8"),
        ("fast_start", "f8"),
        ("fast_low", "f8"),
        ("fast_high", "f8"),
        ("fast_pace", "f8"),
        ("fast_move", "f8"),
        # A jump that the tape may confirm: since when, from where, how far, and what has traded there
        ("level_ns", "i8"),
        ("level_from", "f8"),
        ("level", "f8"),
        ("level_prints", "i8"),
        ("level_changes", "i8"),
    ],
    align=True,
)
"""One session: 17 kB. The forest's rows are beside it: `rows.ForestRows`."""

MEASURES = np.dtype(
    [
        ("is_cross", "f8"),
        ("is_scheduled", "f8"),
        ("few_prices", "f8"),
        ("price_evidence", "f8"),
        ("price_rarity", "f8"),
        ("price_threshold", "f8"),
        ("price_value", "f8"),
        ("distance", "f8"),
        ("few_moves", "f8"),
        ("few_limit", "f8"),
        ("price_scale", "f8"),
        ("price_tick", "f8"),
        ("price_gap_s", "f8"),
        ("price_join_s", "f8"),
        ("low", "f8"),
        ("high", "f8"),
        ("grid_rarity", "f8"),
        ("meant_price", "f8"),
        ("wrong_print", "f8"),
        ("wrong_price", "f8"),
        ("few_sizes", "f8"),
        ("size_evidence", "f8"),
        ("size_rarity", "f8"),
        ("size_threshold", "f8"),
        ("size_value", "f8"),
        ("size_limit", "f8"),
        ("size_ratio", "f8"),
        ("size_context", "f8"),
        ("mean_size", "f8"),
        ("is_block", "f8"),
        ("is_largest", "f8"),
        ("day_share", "f8"),
        ("usual_day_share", "f8"),
        ("burst_evidence", "f8"),
        ("burst_rarity", "f8"),
        ("burst_threshold", "f8"),
        ("burst_value", "f8"),
        ("burst_times", "f8"),
        ("burst_trades", "f8"),
        ("burst_drift", "f8"),
        ("burst_s", "f8"),
        ("forest_evidence", "f8"),
        ("forest_rarity", "f8"),
        ("forest_threshold", "f8"),
        ("forest_score", "f8"),
        ("forest_shares", "f8", (FOREST_FEATURES,)),
        ("busy_join_s", "f8"),
        ("fast_pace", "f8"),
        ("fast_move", "f8"),
        ("fast_range", "f8"),
        ("fast_start", "f8"),
        ("fast_low", "f8"),
        ("fast_high", "f8"),
        ("fast_s", "f8"),
    ]
)
"""What is measured of each trade. Rarities are decades: -log10 of the part's tail frequency.

- `few_prices`, `few_sizes`: how many eligible trades the session had before; -1 from `tail.FEW_TRADES` on,
  for prices of a session that hardly trades later.
- `is_cross`: `NATURAL_CROSS` for an auction's print, `CROSS_AWAY` for one away from the market.
- `is_scheduled`: 1 for a burst at a scheduled moment.
- `*_evidence`: on the common scale, a flag from `tail.ALERT` on; `*_value`: what the part's tail is fitted
  on, `*_threshold`: the value at which it flags.
- `distance` (price): beyond `low` to `high`, the envelope of recent prices, signed; `price_scale`: its unit;
  `grid_rarity`: of a price off the half-tick grid, or with swapped cents. Among a session's first trades,
  `few_moves` is the distance in the largest moves seen so far, and `few_limit` the distance that just flags
  by these; 0 later.
  `price_tick`: the tick; `price_gap_s`: time since the price before; `price_join_s`: how long it can be
  joined.
- `meant_price`: 0, or the price that has just traded and of which this one has the cents swapped.
- `wrong_print`: 0, or which of the session's first prices (from 1) this one shows to be wrong; then
  `wrong_price` is that price, and what is measured is its distance from the prices around it.
- `size_limit`: of a flagged size, the shares that would just flag at this moment.
- `is_block`: 1 for a size that a desk names; `is_largest`: 1 if the session had none as large outside
  auctions; `day_share`: its share in the session's volume so far, itself included; `usual_day_share`: its
  share in the volume of the profile's usual day, 0 without one.
- `size_ratio`: log(size / `mean_size`); `size_context`: what the surroundings add to the surprise.
- `burst_times`, `burst_trades`, `burst_drift`, `burst_s`: distinct times, trades, the price moved, and the
  time from the first, in the window.
- `forest_score`: the isolation forest's, 0 to 1; 0 before its first fit. `forest_shares`: what its features
  contribute to a trade that the forest flags; 0 for others.
- `busy_join_s`: how long an unusual size can be joined in a busy stretch; 0 elsewhere.
- `fast_pace`, `fast_move`: of a trade in a fast market, the highest pace and the widest range so far, in
  usual ones; 0 for others. `fast_range`: the range of the last half minute; `fast_start`, `fast_low`,
  `fast_high`: the price before it, and the lowest and highest since; `fast_s`: time since it began.
"""
