"""Runs the detector over a day of trades in JSON, as the backtest and the live service do."""

from typing import NamedTuple

import numpy as np
import polars as pl

from services.contracts.anomaly import Severity
from services.contracts.trade import NotATradeError, decode_trade
from services.detector.engine.engine import Engine
from services.detector.profiles.profile import Profile
from services.sources.encode import Encoding, to_json

BATCH_TRADES = 10_000


class Finding(NamedTuple):
    """The detector's result for a trade."""

    score: float
    severity: str
    label: str
    """Label of the detection with the highest score."""
    top_contribution: str
    """The feature with the greatest share."""


def detect(trades_json: list[bytes], profile: Profile) -> dict[str, Finding]:
    """Run the detector over trades in order; return the findings of anomalous trades, by `trade_id`."""
    engine = Engine(profile)
    findings = {}
    for start in range(0, len(trades_json), BATCH_TRADES):
        trades = []
        for value in trades_json[start : start + BATCH_TRADES]:
            try:
                trades.append(decode_trade(value))
            except NotATradeError:
                continue  # the live detector rejects it too
        for at, anomaly in engine.detect(trades):
            shares = anomaly.contributions
            findings[trades[at].trade_id] = Finding(
                anomaly.score,
                anomaly.severity,
                anomaly.anomalies[0],
                max(shares, key=shares.__getitem__) if shares else "",
            )
    return findings


def detect_in_frame(trades: pl.DataFrame, profile: Profile) -> list[Finding | None]:
    """Run the detector over trades as the sources yield them; return a finding or None for each trade."""
    # Injected trades have no ids from a venue, and detectors use none.
    ids = pl.int_range(len(trades), eager=True).cast(pl.String)
    findings = detect(to_json(trades.with_columns(trade_id=ids), Encoding("evaluation")), profile)
    return [findings.get(trade_id) for trade_id in ids]


def alert_scores(findings: list[Finding | None]) -> np.ndarray:
    """Return each trade's score; 0 if it is not flagged, or only with severity `info`."""
    return np.array(
        [found.score if found is not None and found.severity != Severity.INFO else 0.0 for found in findings]
    )
