"""`python -m infra.kibana.generate` rewrites `tapewatch.ndjson`: data views, searches, charts, dashboards."""

import datetime as dt
import json
from pathlib import Path
from zoneinfo import ZoneInfo

from infra.kibana.saved_objects import (
    TIME_FIELD,
    Panel,
    SavedObject,
    TimeRange,
    big_number,
    chart,
    count,
    dashboard,
    data_view,
    histogram,
    last_value,
    link,
    metric,
    number,
    search,
    table,
    top_values,
)
from services.contracts.anomaly import SEVERITY_COLORS, Severity
from services.contracts.detectors import LABELS
from services.contracts.indices import ANOMALIES_DATA_VIEW as ANOMALIES
from services.contracts.indices import (
    ANOMALIES_INDICES,
    CORRECTIONS_DATA_VIEW,
    CORRECTIONS_INDICES,
    FEED_EVENTS_DATA_VIEW,
    FEED_EVENTS_INDICES,
    TRADES_INDICES,
)
from services.contracts.indices import TRADES_DATA_VIEW as TRADES
from services.contracts.trade import SIDE_COLORS
from services.sources.synthetic.day import DayConfig
from services.sources.synthetic.trades import symbol_name

FILE = Path(__file__).with_name("tapewatch.ndjson")

MARKET_DASHBOARD = "tapewatch-market-dashboard"
ANOMALIES_DASHBOARD = "tapewatch-anomalies-dashboard"

# The same colors as on Tapewatch's own dashboard.
_BLUE, _RED = SEVERITY_COLORS[Severity.LOW], SEVERITY_COLORS[Severity.CRITICAL]
SIDES = {
    side: (name, SIDE_COLORS[side])
    for side, name in {"B": "Buy (B)", "A": "Sell (A)", "N": "No side (N)"}.items()
}

NOT_INFO = f'not severity: "{Severity.INFO}"'
_SEVERITY_LABELS = {severity: str(severity) for severity in Severity} | {Severity.INFO: "info (no alert)"}
_SYMBOLS_SHOWN = 10
_LABELS_SHOWN = len(LABELS) + 4
"""All labels, plus room for labels that only old documents have."""
_SCORE_BARS = 25

# Discover's "surrounding documents": the trade itself, and the trades just before and after it.
_TRADES_AROUND = (
    f"discover#/context/{TRADES}/{{{{value}}}}"
    "?_a=(columns:!(symbol,price,size,side),predecessorCount:20,successorCount:20)"
)


def saved_objects() -> list[SavedObject]:
    """Return all objects, each after those that it refers to."""
    times = generated_day()
    searches = _searches(times)
    market, anomalies = _market_charts(), _anomaly_charts()
    return [
        *_data_views(),
        *searches.values(),
        *market.values(),
        *anomalies.values(),
        _market_dashboard(times, market, searches),
        _anomalies_dashboard(times, anomalies, searches),
    ]


def generated_day() -> TimeRange:
    """Return the trading hours of the demo's generated day: 04:00 to 20:00 in New York."""
    day, zone = DayConfig().date, ZoneInfo("America/New_York")
    start, end = (
        dt.datetime.combine(day, dt.time(hour), zone).astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
        for hour in (4, 20)
    )
    return TimeRange(start, end)


def ndjson() -> str:
    """Return all objects, one JSON document per line."""
    return "".join(
        json.dumps(one, separators=(",", ":"), ensure_ascii=False) + "\n" for one in saved_objects()
    )


def _data_views() -> list[SavedObject]:
    time = {TIME_FIELD: {"id": "date_nanos", "params": {"pattern": "YYYY-MM-DD HH:mm:ss.SSSSSSSSS"}}}
    trade = {
        **time,
        "price": number("0,0.00[0000000]"),
        "size": number("0,0.[000000000]"),
    }
    anomaly = {
        "score": number("0.000"),
        "detections.score": number("0.000"),
        # A day, not a moment: in another time zone it would be shown as the day before.
        "session": {"id": "date", "params": {"pattern": "YYYY-MM-DD", "timezone": "UTC"}},
        "trade_id": link(_TRADES_AROUND),
    }
    return [
        data_view(TRADES, "Trades", TRADES_INDICES, trade),
        data_view(ANOMALIES, "Anomalies", ANOMALIES_INDICES, trade | anomaly),
        data_view(
            CORRECTIONS_DATA_VIEW,
            "Corrections",
            CORRECTIONS_INDICES,
            trade | {"trade_id": link(_TRADES_AROUND)},
        ),
        data_view(
            FEED_EVENTS_DATA_VIEW, "Feed events", FEED_EVENTS_INDICES, {**time, "count": number("0,0")}
        ),
    ]


def _searches(times: TimeRange) -> dict[str, SavedObject]:
    return {
        "trades": search(
            "tapewatch-all-trades",
            "All trades",
            TRADES,
            ["symbol", "price", "size", "side", "trade_id"],
            TIME_FIELD,
            times,
        ),
        "largest": search(
            "tapewatch-largest-trades",
            "Largest trades",
            TRADES,
            ["symbol", "size", "price", "side"],
            "size",
            times,
        ),
        "newest": search(
            "tapewatch-newest-anomalies",
            "Anomalies, newest first",
            ANOMALIES,
            ["severity", "score", "symbol", "anomalies", "message", "trade_id"],
            TIME_FIELD,
            times,
        ),
        "critical": search(
            "tapewatch-critical-anomalies",
            "Critical anomalies",
            ANOMALIES,
            ["score", "symbol", "anomalies", "message", "price", "size", "trade_id"],
            TIME_FIELD,
            times,
            query=f'severity: "{Severity.CRITICAL}"',
        ),
        "symbol": search(
            "tapewatch-symbol-anomalies",
            "One symbol's anomalies with reasons",
            ANOMALIES,
            ["severity", "score", "price", "size", "anomalies", "message", "detections.reason", "trade_id"],
            TIME_FIELD,
            times,
            only=("symbol", symbol_name(0)),
            description="Click the filter to choose another symbol.",
        ),
        "top": search(
            "tapewatch-top-anomalies",
            "Top anomalies, without severity info; the trade id links to the surrounding trades",
            ANOMALIES,
            ["severity", "score", "symbol", "anomalies", "message", "price", "size", "trade_id"],
            "score",
            times,
            query=NOT_INFO,
        ),
    }


def _market_charts() -> dict[str, SavedObject]:
    return {
        "trades": big_number("tapewatch-trade-count", "Total trades", TRADES, count("Trades"), _BLUE),
        "shares": big_number(
            "tapewatch-share-count", "Total volume", TRADES, metric("sum", "size", "Shares"), _BLUE
        ),
        "price": chart(
            "tapewatch-price",
            "Price by symbol (last trade of each interval)",
            TRADES,
            "line",
            {"price": last_value("price", "Last price")},
            unit="Price (logarithmic)",
            split=top_values("symbol", "Symbol", _SYMBOLS_SHOWN),
            # One axis for symbols of any price; a single symbol fills it.
            style={"yLeftScale": "log", "yLeftExtent": {"mode": "dataBounds"}, "fittingFunction": "Carry"},
            description=f"The {_SYMBOLS_SHOWN} symbols with the most trades; select others above.",
        ),
        "volume": chart(
            "tapewatch-volume",
            "Volume by side of the aggressor",
            TRADES,
            "bar_stacked",
            {
                side: metric("sum", "size", label, query=f'side: "{side}"')
                for side, (label, _) in SIDES.items()
            },
            unit="Shares",
            colors={side: color for side, (_, color) in SIDES.items()},
        ),
        "pace": chart(
            "tapewatch-trades-per-minute",
            "Trades per minute",
            TRADES,
            "bar_stacked",
            {"trades": count("Trades per minute", per="m")},
            unit="Trades per minute",
            colors={"trades": _BLUE},
        ),
        "symbols": table(
            "tapewatch-symbols",
            "Symbols",
            TRADES,
            top_values("symbol", "Symbol", 100, by="trades"),
            {
                "trades": count("Trades"),
                "shares": metric("sum", "size", "Shares"),
                "last": last_value("price", "Last price"),
                "low": metric("min", "price", "Low"),
                "high": metric("max", "price", "High"),
                "largest": metric("max", "size", "Largest trade"),
            },
        ),
    }


def _anomaly_charts() -> dict[str, SavedObject]:
    by_severity = {
        str(severity): count(_SEVERITY_LABELS[severity], query=f'severity: "{severity}"')
        for severity in Severity
    }
    severity_colors = {str(severity): color for severity, color in SEVERITY_COLORS.items()}
    return {
        "alerts": big_number(
            "tapewatch-alert-count",
            "Alerts (without info)",
            ANOMALIES,
            count("Alerts", query=NOT_INFO),
            _BLUE,
        ),
        "critical": big_number(
            "tapewatch-critical-count",
            "Critical alerts",
            ANOMALIES,
            count("Critical", query=f'severity: "{Severity.CRITICAL}"'),
            _RED,
        ),
        "labels": chart(
            "tapewatch-labels",
            "Anomalies by label",
            ANOMALIES,
            "bar_stacked",
            {"anomalies": count("Anomalies")},
            unit="Anomalies",
            split=top_values("anomalies", "Label", _LABELS_SHOWN, by="anomalies"),
            description="An anomaly with two labels counts under each. Auction crosses are expected: info.",
        ),
        "severities": chart(
            "tapewatch-severities",
            "Anomalies by severity",
            ANOMALIES,
            "bar_stacked",
            by_severity,
            unit="Anomalies",
            colors=severity_colors,
            description="info marks expected events such as auction crosses, outside the alert budget.",
        ),
        "symbols": chart(
            "tapewatch-anomalous-symbols",
            "Anomalies by symbol; click a bar to see its trades",
            ANOMALIES,
            "bar_stacked",
            {"anomalies": count("Anomalies")},
            unit="Anomalies",
            split=top_values("symbol", "Symbol", _SYMBOLS_SHOWN, by="anomalies", rest=True),
        ),
        "scores": chart(
            "tapewatch-scores",
            "Scores by severity",
            ANOMALIES,
            "bar_stacked",
            by_severity,
            unit="Anomalies",
            x=histogram("score", "Score", _SCORE_BARS),
            colors=severity_colors,
            description="From 0 to 1, higher is more anomalous; each bar is an interval of scores.",
        ),
    }


def _market_dashboard(
    times: TimeRange, charts: dict[str, SavedObject], searches: dict[str, SavedObject]
) -> SavedObject:
    to_anomalies = ("Anomalies of this symbol at this time", ANOMALIES_DASHBOARD)
    return dashboard(
        MARKET_DASHBOARD,
        "Market",
        "Price, volume and rate of trades. Click a price to see the anomalies at that time.",
        times,
        [
            Panel(charts["trades"], 0, 0, 8, 7),
            Panel(charts["shares"], 0, 7, 8, 7),
            Panel(charts["price"], 8, 0, 40, 14, drilldown=to_anomalies),
            Panel(charts["volume"], 0, 14, 24, 12),
            Panel(charts["pace"], 24, 14, 24, 12),
            Panel(charts["symbols"], 0, 26, 24, 14),
            Panel(searches["largest"], 24, 26, 24, 14),
        ],
        {"symbol": ("Symbol", TRADES), "side": ("Side", TRADES)},
    )


def _anomalies_dashboard(
    times: TimeRange, charts: dict[str, SavedObject], searches: dict[str, SavedObject]
) -> SavedObject:
    to_market = ("Trades of this symbol at this time", MARKET_DASHBOARD)
    return dashboard(
        ANOMALIES_DASHBOARD,
        "Anomalies",
        "What was unusual, when and why. Severity info marks expected events, outside the alert budget.",
        times,
        [
            Panel(charts["alerts"], 0, 0, 8, 7),
            Panel(charts["critical"], 0, 7, 8, 7),
            Panel(charts["labels"], 8, 0, 40, 14),
            Panel(charts["severities"], 0, 14, 16, 12),
            Panel(charts["symbols"], 16, 14, 16, 12, drilldown=to_market),
            Panel(charts["scores"], 32, 14, 16, 12),
            Panel(searches["top"], 0, 26, 48, 18),
        ],
        {
            "symbol": ("Symbol", ANOMALIES),
            "anomalies": ("Label", ANOMALIES),
            "severity": ("Severity", ANOMALIES),
        },
    )


if __name__ == "__main__":
    FILE.write_text(ndjson())
