"""What a feed counts."""

from prometheus_client import Counter, Gauge

CONNECTED = Gauge("tapewatch_feed_connected", "1 while the venue's feed is connected, else 0", ["venue"])
LAG_S = Gauge(
    "tapewatch_feed_lag_seconds", "Now minus the tape time of the newest print, in seconds", ["venue"]
)
RECORD_AGE_S = Gauge(
    "tapewatch_feed_last_record_age_seconds", "Time since the last record of any kind, in seconds", ["venue"]
)
RECONNECTS = Counter(
    "tapewatch_feed_reconnects_total", "Connections that ended without being asked to", ["venue", "reason"]
)
GAPS_OPEN = Gauge("tapewatch_feed_gaps_open", "Symbols for which history is being asked", ["venue"])
FILL_STALLED_S = Gauge(
    "tapewatch_feed_fill_stalled_seconds",
    "Longest time for which a question to history has brought no newer print, in seconds; 0 without one",
    ["venue"],
)
HISTORY_FAILURES = Counter(
    "tapewatch_feed_history_failures_total",
    "Questions to history that have to be asked again",
    ["venue", "reason"],
)
GAPS = Counter("tapewatch_feed_gaps_total", "Gaps, by what became of them", ["venue", "state"])
GAP_PRINTS = Counter("tapewatch_feed_gap_prints_total", "Prints in gaps, where known", ["venue", "state"])
REPEATS = Counter("tapewatch_feed_repeats_total", "Prints that came again", ["venue", "origin"])
HELD = Gauge("tapewatch_feed_held_trades", "Live prints held back while history is asked", ["venue"])
UNKNOWN_CONDITIONS = Counter(
    "tapewatch_feed_unknown_conditions_total",
    "Prints with a sale condition that is not in the table",
    ["venue", "condition"],
)
