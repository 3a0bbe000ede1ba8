"""The detector's own metrics; those shared by services are in `services.common.observability.counters`."""

import datetime as dt
import time
from dataclasses import replace

import numpy as np
import structlog
from prometheus_client import Counter, Gauge

from services.common.observability.counters import DEAD_LETTERS, EVENT_LAG_S
from services.common.observability.rates import Rate
from services.contracts.components import DETECTOR
from services.detector.detectors.tally import ModelTally
from services.detector.engine.state import OutOfOrder
from services.detector.live.partition import Detected, JudgedTrades
from services.detector.models.drift import stability_index

DRIFT_LEAST, DRIFT_MEMORY = 1_000, 20_000
"""Sampled trades from which on drift is told, and that it remembers."""

TRADES = Counter("tapewatch_scored_trades_total", "Trades worked off, late ones included, each once")
LATE_TRADES = Counter(
    "tapewatch_late_trades_total", "Trades that came after later ones of their lane, or once more"
)
UNJUDGED_TRADES = Counter(
    "tapewatch_unjudged_trades_total",
    "Trades that were not judged: repeats, those older than what a session remembers, and reconciled ones",
    ["reason"],
)
MISPLACED_SYMBOLS = Counter(
    "tapewatch_misplaced_symbols_total", "Symbols without their name as key, or seen in a second partition"
)
RESTARTS = Counter("tapewatch_sequence_restarts_total", "Venues' sequences that started again in a session")
REPLAYED = Counter("tapewatch_replayed_messages_total", "Messages read again to rebuild state")
ANOMALIES = Counter("tapewatch_anomalies_total", "Anomalies published", ["label", "severity"])
REVISIONS = Counter("tapewatch_anomaly_revisions_total", "Later revisions of anomalies that grew")
SUPPRESSED = Counter(
    "tapewatch_suppressed_anomalies_total",
    "Detections that lines of the profile's `suppress` and `calendar` held back",
    ["rule"],
)
RETRACTIONS = Counter("tapewatch_retracted_anomalies_total", "Anomalies withdrawn by a reset")
PER_SECOND = Gauge("tapewatch_scored_trades_per_second", "Trades scored, over the last seconds")
CHECKPOINT_BYTES = Counter("tapewatch_checkpoint_bytes_total", "Bytes of checkpoints written")
CHECKPOINTS = Counter("tapewatch_checkpoints_total", "Sessions saved in checkpoints")
CHECKPOINT_SIZE = Gauge("tapewatch_checkpoint_session_bytes", "Size of the largest session saved last")
CHECKPOINT_AGE = Gauge(
    "tapewatch_checkpoint_age_messages", "Messages that a restart would replay now", ["partition"]
)
MODEL_JUDGED = Counter(
    "tapewatch_model_judged_trades_total",
    "Trades that a trained model has judged, and the challenger beside it",
    ["model", "challenger"],
)
MODEL_FLAGGED = Counter(
    "tapewatch_model_flagged_trades_total",
    "Those that both flag (`both`), the model alone (`model`), or the challenger alone (`challenger`)",
    ["model", "challenger", "by"],
)
FEATURE_DRIFT = Gauge(
    "tapewatch_feature_drift",
    "Population stability index of a model's feature against its training days, of the newest trades",
    ["model", "feature"],
)
RECOVERY_SECONDS = Gauge(
    "tapewatch_recovery_seconds", "Time that the last recovery took until the committed offset was reached"
)


class Tally:
    """Totals of what this process has committed."""

    def __init__(self) -> None:
        self.trades = self.anomalies = self.dead_letters = 0
        self.out_of_order = OutOfOrder()
        self._has_warned = False
        self._rate = Rate(PER_SECOND)
        self._uncounted: list[Detected] = []
        self._sampled: dict[str, np.ndarray] = {}  # trades by feature and part, of each model

    def add(self, found: Detected) -> None:
        """Add results that are published but not committed yet; their trades are not kept as long."""
        self._uncounted.append(replace(found, judged=JudgedTrades([], [])))

    def discard(self) -> None:
        """Drop what was not committed."""
        self._uncounted.clear()

    def count(self) -> None:
        """Count the added results, which are now committed."""
        for found in self._uncounted:
            self._count(found)
        self._uncounted.clear()

    def _count(self, found: Detected) -> None:
        self.trades += found.trades
        first = [one.anomaly for one in found.anomalies if one.anomaly.is_first]
        self.anomalies += len(first)
        self.dead_letters += len(found.rejected)
        self.out_of_order += found.out_of_order
        TRADES.inc(found.trades)
        self._count_out_of_order(found.out_of_order)
        UNJUDGED_TRADES.labels("reconciled").inc(found.reconciled)
        REPLAYED.inc(found.replayed)
        DEAD_LETTERS.labels(DETECTOR.service).inc(len(found.rejected))
        self._rate.add(found.trades)
        REVISIONS.inc(len(found.anomalies) - len(first))
        for anomaly in first:
            for label in anomaly.anomalies:
                ANOMALIES.labels(label, anomaly.severity).inc()
        for line, count in found.held_back.items():
            SUPPRESSED.labels(line).inc(count)
        for tally in found.tallies:
            self._count_judged(tally)
        if found.newest_event_time:
            newest = dt.datetime.fromisoformat(found.newest_event_time[:26].rstrip("Z") + "+00:00")
            EVENT_LAG_S.labels(DETECTOR.service).set(time.time() - newest.timestamp())

    def _count_judged(self, tally: ModelTally) -> None:
        """Count what a trained model has judged; drift is told once there are trades enough."""
        names = (tally.model, tally.challenger)
        MODEL_JUDGED.labels(*names).inc(tally.judged)
        for by, count in (
            ("both", tally.both),
            ("model", tally.model_only),
            ("challenger", tally.challenger_only),
        ):
            MODEL_FLAGGED.labels(*names, by).inc(count)
        sampled_for = tally.model or tally.challenger
        sampled = self._sampled.get(sampled_for, 0.0) + tally.sampled
        trades = float(sampled[0].sum())
        self._sampled[sampled_for] = sampled * min(1.0, DRIFT_MEMORY / trades)
        if trades >= DRIFT_LEAST:
            indices = stability_index(tally.expected, sampled)
            for feature, index in zip(tally.features, indices.tolist(), strict=True):
                FEATURE_DRIFT.labels(sampled_for, feature).set(index)

    def _count_out_of_order(self, found: OutOfOrder) -> None:
        LATE_TRADES.inc(found.all)
        UNJUDGED_TRADES.labels("repeat").inc(found.repeats)
        UNJUDGED_TRADES.labels("too_late").inc(found.too_late)
        RESTARTS.inc(found.restarts)
        if found.restarts and self.out_of_order.restarts == found.restarts:
            structlog.get_logger().warning(
                "a venue's sequence numbers have started again in a session; its trades are taken as in order"
            )
        if not self._has_warned and (warning := self.out_of_order.warning(self.trades)):
            self._has_warned = True
            structlog.get_logger().error(warning)


def count_checkpoints(sizes_bytes: list[int], all_bytes: int) -> None:
    """Count checkpoints that were committed.

    Parameters
    ----------
    sizes_bytes
        Size of each session's checkpoint.
    all_bytes
        Total size, including the partitions' records.
    """
    CHECKPOINT_BYTES.inc(all_bytes)
    CHECKPOINTS.inc(len(sizes_bytes))
    if sizes_bytes:
        CHECKPOINT_SIZE.set(max(sizes_bytes))
