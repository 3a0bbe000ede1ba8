"""Sample answers of Elasticsearch, and what charts draw from them."""

import datetime as dt
import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from dashboard.pages.symbol.chart import Chart
from dashboard.pages.symbol.expected import PRICES, RATES, SIZES, Expected
from dashboard.pages.symbol.marker_layers import Said
from dashboard.pages.symbol.price_axis import PriceAxis, price_axis
from dashboard.pages.symbol.price_chart import Marks, price_chart
from dashboard.pages.symbol.queries import AnomalySummary, TradeSummary, to_buckets, to_prints
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
    return AnomalySummary({}, {}, {}, {}, len(sources), to_anomaly_rows(sources))


def expected_of(buckets: Sequence[dict[str, Any]], **columns: object) -> Expected:
    """Return what was expected in these buckets; nothing of the columns that are not given."""
    frame = to_buckets(buckets, 60)[["start", "end"]]
    nothing = dict.fromkeys((*PRICES, *SIZES, *RATES), math.nan)
    return Expected("By the profile.", frame.assign(**{**nothing, **columns}))  # type: ignore[arg-type]


def drawn_prices(
    trades: TradeSummary,
    *sources: dict[str, Any],
    crosses: pd.DataFrame | None = None,
    happened: pd.DataFrame | None = None,
    expected: Expected | None = None,
    axis: PriceAxis | None = None,
    until: str | None = None,
    **options: Any,
) -> Chart:
    """Draw the chart of prices with these anomalies, whose stretches last `until` then."""
    rows = to_anomaly_rows(sources)
    ends = pd.to_datetime(pd.Series([until] * len(rows), index=rows.index, dtype="object"), utc=True)
    marks = Marks(
        rows.assign(until=ends),
        to_prints([]) if crosses is None else crosses,
        happened=pd.DataFrame() if happened is None else happened,
        expected=expected,
    )
    said = options.pop("said", Said())
    return price_chart(trades, axis or price_axis(trades, None), marks, RANGE, said, **options)


def drawn(chart: Chart, name: str) -> list[dict[str, Any]]:
    """Return the rows that the layers of these data draw."""
    assert any(layer["data"]["name"] == name for layer in chart.spec["layer"])
    frame = chart.datasets[name]
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]
