"""The kinds of anomalies that are injected, by name, and what makes each of them one.

Two injectors share this vocabulary. `services/sources/synthetic/anomalies.py` puts anomalies into a
generated day: it knows the day's spreads and auctions, so it can choose places where the label is beyond
dispute, and its bytes never change, because the demo and tests rely on them.
`services/detector/offline/evaluation/injection.py` puts them into real days, of which it knows only the
trades, and makes sure that nothing but the anomaly itself distinguishes the extra rows. A detector that is
overfitted to one injector does worse on the other.
"""

NS_PER_MINUTE = 60_000_000_000

KINDS = ("off_market", "off_market_small", "fat_finger", "off_market_fat_finger", "stale", "burst")
"""
- `off_market`: a single print 0.4 % to 8 % away, either way; the next trade is back at the old price;
- `off_market_small`: the same at 0.1 % to 0.4 %, a harder kind;
- `fat_finger`: 10 to 40 times the local mean size, at least 1,500 shares;
- `off_market_fat_finger`: an `off_market` price and a `fat_finger` size;
- `stale`: the price of 15 to 30 minutes ago, where it differs noticeably;
- `burst`: 40 to 120 trades within 50 ms at prices that drift one way.
"""

DISTANCES = {
    "off_market": (0.004, 0.08),
    "off_market_small": (0.001, 0.004),
    "off_market_fat_finger": (0.004, 0.08),
}
"""Minimum and maximum distance from the previous price, relative to it."""

FAT_FINGER_KINDS = ("fat_finger", "off_market_fat_finger")
FAT_FINGER_FACTORS = (10.0, 40.0)
FAT_FINGER_LEAST_SHARES = 1_500
STALE_AGE_NS = (15 * NS_PER_MINUTE, 30 * NS_PER_MINUTE)
STALE_LEAST_MOVE = 0.002
BURST_TRADES = (40, 120)
BURST_NS = 50_000_000
