"""The dashboard *Market*: prices, volume and rate of the trades, with the anomalies marked on them."""

from infra.kibana.content.looks import BLUE, ROWS_SHOWN, SEVERITIES, SIDES, SYMBOLS_SHOWN, columns
from infra.kibana.objects.charts import Marks, big_number, chart, table
from infra.kibana.objects.columns import count, last_value, measure, top_values
from infra.kibana.objects.dashboard import Panel, dashboard
from infra.kibana.objects.saved_object import TIME_FIELD, SavedObject, TimeRange
from infra.kibana.objects.search import search
from services.contracts.anomaly import Severity
from services.contracts.indices import ANOMALIES_DATA_VIEW as ANOMALIES
from services.contracts.indices import TRADES_DATA_VIEW as TRADES

MARKET = "tapewatch-market-dashboard"

LARGE = 100_000
"""Prints of so many shares have a chart of their own: beside a cross, nothing else of the day is seen."""


def market(times: TimeRange, links: SavedObject, anomalies_dashboard: str) -> list[SavedObject]:
    """Return the dashboard after what it shows."""
    charts, searches = _charts(), _searches(times)
    to_anomalies = ("Anomalies of this symbol at this time", anomalies_dashboard)
    made = dashboard(
        MARKET,
        "Market",
        "Price, volume and rate of trades. Click a price to see the anomalies at that time.",
        times,
        [
            Panel(links, 0, 0, 48, 4, has_title=False),
            Panel(charts["trades"], 0, 4, 8, 8, has_title=False),
            Panel(charts["shares"], 0, 12, 8, 8, has_title=False),
            Panel(charts["price"], 8, 4, 40, 16, drilldown=to_anomalies),
            Panel(charts["volume"], 0, 20, 32, 12),
            Panel(charts["large"], 32, 20, 16, 12),
            Panel(charts["pace"], 0, 32, 24, 14),
            Panel(charts["symbols"], 24, 32, 24, 14),
            Panel(searches["largest"], 0, 46, 48, 14),
        ],
        {"symbol": ("Symbol", TRADES), "side": ("Side", TRADES)},
    )
    return [*charts.values(), *searches.values(), made]


def _charts() -> dict[str, SavedObject]:
    urgent = [str(one) for one in (Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)]
    sides = top_values("side", "Side", 3)
    return {
        "trades": big_number("tapewatch-trade-count", "Total trades", TRADES, count("Trades"), BLUE),
        "shares": big_number(
            "tapewatch-share-count", "Total volume", TRADES, measure("sum", "size", "Shares"), BLUE
        ),
        "price": chart(
            "tapewatch-price",
            "Price by symbol (last trade of each interval), with anomalies from medium on",
            TRADES,
            "line",
            {"price": last_value("price", "Last price")},
            unit="Price (logarithmic)",
            split=top_values("symbol", "Symbol", SYMBOLS_SHOWN),
            # One axis for symbols of any price, which the prices fill. A logarithmic axis that is rounded
            # goes from one power of ten to another.
            style={
                "yLeftScale": "log",
                "yLeftExtent": {"mode": "dataBounds", "niceValues": False},
                "fittingFunction": "None",  # no line over hours and months without trades
            },
            marks=Marks(
                ANOMALIES,
                ["symbol", "score", "price"],
                {one: (f'severity: "{one}"', SEVERITIES[one]) for one in urgent},
            ),
            description=f"The {SYMBOLS_SHOWN} symbols with the most trades; select others above. Of trades "
            "with one time stamp, any one may be the last.",
        ),
        "volume": chart(
            "tapewatch-volume",
            f"Volume by side of the aggressor, prints below {LARGE:,}",
            TRADES,
            "bar_stacked",
            {"shares": measure("sum", "size", "Shares", query=f"size < {LARGE}")},
            unit="Shares",
            split=sides,
            colors=SIDES,
        ),
        "large": chart(
            "tapewatch-large-prints",
            f"Volume of crosses and other prints from {LARGE:,} on",
            TRADES,
            "bar_stacked",
            {"shares": measure("sum", "size", "Shares", query=f"size >= {LARGE}")},
            unit="Shares",
            split=sides,
            colors=SIDES,
        ),
        "pace": chart(
            "tapewatch-trades-per-minute",
            "Trades per minute",
            TRADES,
            "bar_stacked",
            {"trades": count("Trades per minute", per="m")},
            unit="Trades per minute",
            colors={"trades": BLUE},
            description="The mean of each interval: over several days, hours without trading count too.",
        ),
        "symbols": table(
            "tapewatch-symbols",
            "Symbols",
            TRADES,
            top_values("symbol", "Symbol", ROWS_SHOWN, by="trades"),
            {
                "trades": count("Trades"),
                "shares": measure("sum", "size", "Shares"),
                "last": last_value("price", "Last price"),
                "low": measure("min", "price", "Low"),
                "high": measure("max", "price", "High"),
                "largest": measure("max", "size", "Largest trade"),
            },
            "A bad print shows here: the price chart has only the last trade of each interval.",
        ),
    }


def _searches(times: TimeRange) -> dict[str, SavedObject]:
    return {
        "trades": search(
            "tapewatch-all-trades",
            "All trades",
            TRADES,
            columns("symbol", "price", "size", "side", "conditions", "trade_id"),
            TIME_FIELD,
            times,
        ),
        "largest": search(
            "tapewatch-largest-trades",
            "Largest trades",
            TRADES,
            columns("symbol", "size", "price", "side", "conditions", "trade_id"),
            "size",
            times,
        ),
    }
