"""Runs the detector over a day of trades in JSON, as the backtest and the live service do."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import polars as pl

from services.contracts.anomaly import Anomaly, Severity
from services.detector.engine.decode import decode_trades
from services.detector.engine.engine import Engine
from services.detector.profiles.profile import Profile
from services.sources.encode import Encoding, to_json

BATCH_TRADES = 10_000
ENCODING = Encoding("evaluation", fields=("sequence", "ts_recv"), times=("ts_recv",))


class Finding(NamedTuple):
    """The detector's result for a trade."""

    score: float
    severity: str
    label: str
    """Label of the detection with the highest score."""
    top_contribution: str
    """The feature with the greatest share."""
    last_trade: str = ""
    """The last trade of its stretch; empty for an anomaly that cannot grow."""


class Alert(NamedTuple):
    """An anomaly, and the rows of the trades that it spans."""

    first_row: int
    last_row: int
    score: float
    severity: str
    label: str
    """Label of the detection with the highest score."""


def detect(trades_json: list[bytes], profile: Profile) -> dict[str, Finding]:
    """Run the detector over trades in order; return the findings of anomalous trades, by `trade_id`."""
    findings = {}
    for trade_id, anomaly in _anomalies(trades_json, profile):
        shares = anomaly.contributions
        findings[trade_id] = Finding(
            anomaly.score,
            anomaly.severity,
            anomaly.anomalies[0],
            max(shares, key=shares.__getitem__) if shares else "",
            anomaly.last_trade or "",
        )
    return findings


def _anomalies(trades_json: list[bytes], profile: Profile) -> Iterator[tuple[str, Anomaly]]:
    """Yield the anomalies and their revisions, with the ids of the trades that they began with."""
    engine = Engine(profile)
    for start in range(0, len(trades_json), BATCH_TRADES):
        # What is no trade is rejected by the live detector, too.
        trades, _ = decode_trades(trades_json[start : start + BATCH_TRADES])
        for at, anomaly, _ in engine.detect(trades):
            yield anomaly.first_trade or trades[at].trade_id, anomaly


def detect_in_frame(trades: pl.DataFrame, profile: Profile) -> list[Finding | None]:
    """Run the detector over trades as the sources yield them; return a finding or None for each trade."""
    findings = detect(frame_json(trades), profile)
    return [findings.get(str(row)) for row in range(len(trades))]


def detect_alerts(trades: pl.DataFrame, profile: Profile) -> list[Alert]:
    """Run the detector over trades as the sources yield them; return each anomaly once, as it was last."""
    alerts = {}
    for trade_id, anomaly in _anomalies(frame_json(trades), profile):
        first = int(trade_id)
        last = int(anomaly.last_trade or trade_id)
        alerts[trade_id] = Alert(first, last, anomaly.score, anomaly.severity, anomaly.anomalies[0])
    return list(alerts.values())


def frame_json(trades: pl.DataFrame) -> list[bytes]:
    """Write trades as the sources yield them as JSON; their ids are their rows."""
    # Injected trades have no ids from a venue, and detectors use none: the ids are the rows.
    ids = pl.int_range(len(trades), eager=True).cast(pl.String)
    return to_json(trades.with_columns(trade_id=ids), ENCODING)


def credit_stretches(findings: list[Finding | None], event_of: dict[int, int]) -> list[Finding | None]:
    """Move the finding of a stretch to the first print of each event in it, of which there may be several.

    Parameters
    ----------
    findings
        Of each trade, as `detect_in_frame` returns them.
    event_of
        From an injected trade's row to its event.
    """
    credited = list(findings)
    injected = np.array(sorted(event_of), np.int64)
    for row, found in enumerate(findings):
        if found is None or not found.last_trade:
            continue
        first, last = np.searchsorted(injected, [row, int(found.last_trade) + 1])
        firsts: dict[int, int] = {}
        for own in injected[first:last].tolist():
            firsts.setdefault(event_of[own], own)
        if firsts and row not in firsts.values():
            credited[row] = None
        for own in firsts.values():
            other = credited[own]
            if other is None or other.score < found.score:
                credited[own] = found
    return credited


def alert_scores(findings: list[Finding | None]) -> np.ndarray:
    """Return each trade's score; 0 if it is not flagged, or only with severity `info`."""
    return np.array(
        [found.score if found is not None and found.severity != Severity.INFO else 0.0 for found in findings]
    )
