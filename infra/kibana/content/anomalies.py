"""The dashboard *Anomalies*: what was unusual, when, and why."""

from infra.kibana.content.looks import (
    BLUE,
    CRITICAL,
    GRAY,
    LABELS,
    NOT_INFO,
    RED,
    SEVERITIES,
    SYMBOLS_SHOWN,
    columns,
)
from infra.kibana.objects.charts import big_number, chart, heat_map
from infra.kibana.objects.columns import count, histogram, measure, top_values
from infra.kibana.objects.dashboard import Panel, dashboard
from infra.kibana.objects.saved_object import TIME_FIELD, SavedObject, TimeRange
from infra.kibana.objects.search import search
from services.contracts.anomaly import SCORE_COLORS
from services.contracts.indices import ANOMALIES_DATA_VIEW as VIEW

ANOMALIES = "tapewatch-anomalies-dashboard"

_LABELS_SHOWN = len(LABELS) + 4
"""All labels, plus room for labels that only old documents have."""
_SCORE_BARS = 25
_SYMBOLS_ON_THE_MAP = 25


def anomalies(times: TimeRange, links: SavedObject, market_dashboard: str) -> list[SavedObject]:
    """Return the dashboard after what it shows."""
    charts, searches = _charts(), _searches(times)
    to_market = ("Trades of this symbol at this time", market_dashboard)
    made = dashboard(
        ANOMALIES,
        "Anomalies",
        "What was unusual, when and why. Severity info marks expected events, outside the alert budget.",
        times,
        [
            Panel(links, 0, 0, 48, 4, has_title=False),
            Panel(charts["alerts"], 0, 4, 8, 8, has_title=False),
            Panel(charts["critical"], 0, 12, 8, 8, has_title=False),
            Panel(charts["map"], 8, 4, 40, 16, drilldown=to_market),
            Panel(searches["top"], 0, 20, 48, 18),
            Panel(charts["severities"], 0, 38, 24, 13),
            Panel(charts["labels"], 24, 38, 24, 13),
            Panel(charts["symbols"], 0, 51, 24, 13, drilldown=to_market),
            Panel(charts["scores"], 24, 51, 24, 13),
        ],
        {"symbol": ("Symbol", VIEW), "anomalies": ("Label", VIEW), "severity": ("Severity", VIEW)},
    )
    return [*charts.values(), *searches.values(), made]


def _charts() -> dict[str, SavedObject]:
    severity = top_values("severity", "Severity", len(SEVERITIES), by="anomalies")
    return {
        "alerts": big_number(
            "tapewatch-alert-count",
            "Alerts (without info)",
            VIEW,
            count("Anomalies without info", query=NOT_INFO),
            BLUE,
        ),
        "critical": big_number(
            "tapewatch-critical-count",
            "Critical alerts",
            VIEW,
            count("Critical", query=CRITICAL),
            RED,
            color_of_none=GRAY,
        ),
        "map": heat_map(
            "tapewatch-heat-map",
            "Highest score by symbol and time; click a cell to see its trades",
            VIEW,
            top_values("symbol", "Symbol", _SYMBOLS_ON_THE_MAP),
            measure("max", "score", "Highest score", query=NOT_INFO),
            SCORE_COLORS,
            f"The {_SYMBOLS_ON_THE_MAP} symbols with the most anomalies; select others above.",
        ),
        "labels": chart(
            "tapewatch-labels",
            "Anomalies by label",
            VIEW,
            "bar_stacked",
            {"anomalies": count("Anomalies")},
            unit="Anomalies",
            split=top_values("anomalies", "Label", _LABELS_SHOWN, by="anomalies"),
            colors=LABELS,
            description="An anomaly with two labels counts under each. Auction crosses are expected: info.",
        ),
        "severities": chart(
            "tapewatch-severities",
            "Anomalies by severity; click a color to filter by it",
            VIEW,
            "bar_stacked",
            {"anomalies": count("Anomalies")},
            unit="Anomalies",
            split=severity,
            colors=SEVERITIES,
            description="info marks expected events such as auction crosses, outside the alert budget.",
        ),
        "symbols": chart(
            "tapewatch-anomalous-symbols",
            "Anomalies by symbol; click a bar to see its trades",
            VIEW,
            "bar_stacked",
            {"anomalies": count("Anomalies")},
            unit="Anomalies",
            split=top_values("symbol", "Symbol", SYMBOLS_SHOWN, by="anomalies", rest=True),
        ),
        "scores": chart(
            "tapewatch-scores",
            "Scores by severity, without info",
            VIEW,
            "bar_stacked",
            {"anomalies": count("Anomalies", query=NOT_INFO)},
            unit="Anomalies",
            x=histogram("score", "Score", _SCORE_BARS),
            split=severity,
            colors=SEVERITIES,
            description="From 0 to 1, higher is more anomalous; each bar is an interval of scores.",
        ),
    }


def _searches(times: TimeRange) -> dict[str, SavedObject]:
    shown = columns("severity", "score", "symbol", "anomalies", "message", "price", "size", "trade_id")
    return {
        "newest": search(
            "tapewatch-newest-anomalies", "Anomalies, newest first", VIEW, shown, TIME_FIELD, times
        ),
        "critical": search(
            "tapewatch-critical-anomalies",
            "Critical anomalies",
            VIEW,
            shown,
            TIME_FIELD,
            times,
            query=CRITICAL,
        ),
        "top": search(
            "tapewatch-top-anomalies",
            "Top anomalies, without severity info; the trade id leads to Tapewatch's page of it",
            VIEW,
            shown,
            "score",
            times,
            query=NOT_INFO,
        ),
    }
