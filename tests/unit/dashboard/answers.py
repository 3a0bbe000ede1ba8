"""Sample answers of Elasticsearch, and what charts draw from them."""

import datetime as dt
from typing import Any

from dashboard.pages.overview.chart import Chart
from dashboard.pages.overview.queries import AnomalySummary, TradeSummary, to_buckets
from dashboard.server.anomaly_rows import to_anomaly_rows
from dashboard.ui.time_ranges import TimeRange

OPEN = dt.datetime(2026, 3, 2, 14, 30, tzinfo=dt.UTC)
RANGE = TimeRange(OPEN, OPEN + dt.timedelta(hours=2))


def bucket(minute: int, shares: dict[str, int], low: float = 99.0, high: float = 101.0) -> dict[str, Any]:
    return {
        "key": int((OPEN + dt.timedelta(minutes=minute)).timestamp() * 1000),
        "doc_count": 3,
        "low": {"value": low},
        "high": {"value": high},
        "last": {"hits": {"hits": [{"fields": {"price": [100.0]}}]}},
        "sides": {"buckets": [{"key": side, "shares": {"value": float(n)}} for side, n in shares.items()]},
    }


def anomaly(trade_id: str, **fields: object) -> dict[str, Any]:
    return {
        "@timestamp": "2026-03-02T14:31:00.000000001Z",
        "trade_id": trade_id,
        "symbol": "ACME",
        "price": 100.5,
        "size": 50_000,
        "side": "A",
        "severity": "high",
        "score": 0.8,
        "anomalies": ["High Volume", "Z-Score"],
        "message": "50,000 shares in one trade.",
        "detections": [{"label": "High Volume", "score": 0.5}, {"label": "Z-Score", "score": 0.8}],
    } | fields


def trade_summary(*buckets: dict[str, Any]) -> TradeSummary:
    frame = to_buckets(buckets, 60)
    return TradeSummary(int(frame["trades"].sum()), 0, 60, frame)


def anomaly_summary(*sources: dict[str, Any]) -> AnomalySummary:
    return AnomalySummary({}, {}, len(sources), to_anomaly_rows(sources))


def drawn(chart: Chart, layer: int) -> list[dict[str, Any]]:
    """Return the rows that a layer of a chart draws."""
    frame = chart.datasets[chart.spec["layer"][layer]["data"]["name"]]
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]
