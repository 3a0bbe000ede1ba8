"""The dashboard *Pipeline*: how far the data is, where it came from, and what was lost on the way."""

from infra.kibana.content.alerts import LATELY
from infra.kibana.content.looks import BLUE, GRAY, RED, ROWS_SHOWN, columns
from infra.kibana.objects.charts import big_number, chart, table
from infra.kibana.objects.columns import count, last_value, measure, percentile, top_values
from infra.kibana.objects.dashboard import Panel, dashboard
from infra.kibana.objects.saved_object import TIME_FIELD, SavedObject, TimeRange
from infra.kibana.objects.search import search
from services.contracts.indices import ANOMALIES_DATA_VIEW as ANOMALIES
from services.contracts.indices import CORRECTIONS_DATA_VIEW as CORRECTIONS
from services.contracts.indices import FEED_EVENTS_DATA_VIEW as FEED_EVENTS
from services.contracts.indices import TRADES_DATA_VIEW as TRADES

PIPELINE = "tapewatch-pipeline-dashboard"

LOST = 'event: "gap_lost"'

_EVENTS = {
    "connected": "#5a8f29",
    "gap_filled": BLUE,
    "gap_opened": "#fb8c0c",
    "gap_lost": RED,
    "lost": "#a437f3",
    "silent": GRAY,
    "halt": "#a65628",
    "resume": "#0f9d8a",
    "slow_reader": "#75889c",
}


def pipeline(times: TimeRange, links: SavedObject, market_dashboard: str) -> list[SavedObject]:
    """Return the dashboard after what it shows."""
    charts, searches = _charts(), _searches(times)
    to_market = ("Trades of this symbol at this time", market_dashboard)
    made = dashboard(
        PIPELINE,
        "Pipeline",
        "What Elasticsearch knows of the way the data took. Lag, dead letters and the services' health "
        "are not in it, but on Tapewatch's own page Pipeline.",
        times,
        [
            Panel(links, 0, 0, 48, 4, has_title=False),
            Panel(charts["newest"], 0, 4, 16, 6, has_title=False),
            Panel(charts["detected"], 16, 4, 16, 6, has_title=False),
            Panel(charts["lost"], 32, 4, 16, 6, has_title=False, times=LATELY),
            Panel(charts["delay"], 0, 10, 24, 13),
            Panel(charts["sources"], 24, 10, 24, 13),
            Panel(charts["events"], 0, 23, 24, 12, times=LATELY),
            Panel(charts["corrections"], 24, 23, 24, 12, drilldown=to_market),
            Panel(searches["events"], 0, 35, 48, 14, times=LATELY),
            Panel(searches["corrections"], 0, 49, 48, 14),
        ],
        {"symbol": ("Symbol", TRADES)},
    )
    return [*charts.values(), *searches.values(), made]


def _charts() -> dict[str, SavedObject]:
    return {
        "newest": big_number(
            "tapewatch-newest-trade",
            "Newest trade",
            TRADES,
            last_value(TIME_FIELD, "Newest trade", is_date=True),
            BLUE,
        ),
        "detected": big_number(
            "tapewatch-newest-detection",
            "Newest detection",
            ANOMALIES,
            last_value("detected_at", "Newest anomaly, detected", is_date=True),
            BLUE,
        ),
        "lost": big_number(
            "tapewatch-lost-prints",
            "Lost prints",
            FEED_EVENTS,
            measure("sum", "count", "Prints that no feed brought, 7 days", query=LOST),
            RED,
            color_of_none=GRAY,
        ),
        "delay": chart(
            "tapewatch-delay",
            "Delay from an anomaly's trade to its detection",
            ANOMALIES,
            "line",
            {
                "median": measure("median", "delay_s", "Median"),
                "slow": percentile("delay_s", 95, "95 % within"),
            },
            unit="Seconds",
            colors={"median": BLUE, "slow": RED},
            description="Of a day that is replayed, the delay is the day's age.",
        ),
        "sources": table(
            "tapewatch-sources",
            "Sources",
            TRADES,
            top_values("source", "Source", ROWS_SHOWN, by="trades"),
            {
                "trades": count("Trades"),
                "symbols": measure("unique_count", "symbol", "Symbols"),
                "newest": last_value(TIME_FIELD, "Newest trade", is_date=True),
                "late": count("After the session", query="reconciled: true"),
            },
            "Reconciled trades came after their session, from the venue's own record of the day.",
        ),
        "events": chart(
            "tapewatch-feed-events-by-kind",
            "Events of feeds",
            FEED_EVENTS,
            "bar_stacked",
            {"events": count("Events")},
            unit="Events",
            split=top_values("event", "Event", len(_EVENTS), by="events"),
            colors=_EVENTS,
        ),
        "corrections": chart(
            "tapewatch-corrections-by-symbol",
            "Corrections by symbol; click a bar to see its trades",
            CORRECTIONS,
            "bar_stacked",
            {"corrections": count("Corrections")},
            unit="Corrections",
            split=top_values("symbol", "Symbol", 10, by="corrections", rest=True),
        ),
    }


def _searches(times: TimeRange) -> dict[str, SavedObject]:
    return {
        "events": search(
            "tapewatch-newest-feed-events",
            "Events of feeds, newest first",
            FEED_EVENTS,
            columns("venue", "event", "symbol", "count", "reason", "from", "to"),
            TIME_FIELD,
            LATELY,
        ),
        "corrections": search(
            "tapewatch-newest-corrections",
            "Corrections, newest first",
            CORRECTIONS,
            columns("symbol", "action", "price", "size", "source", "trade_id"),
            TIME_FIELD,
            times,
        ),
    }
