"""The dashboard *Anomalies*: what was unusual, when, and why."""

from textwrap import indent

from infra.grafana.content.looks import (
    ANOMALIES,
    BLUE,
    CHOSEN_LABELS,
    CHOSEN_SEVERITIES,
    CHOSEN_SYMBOLS,
    INTERVAL,
    LABELS,
    RED,
    ROWS_SHOWN,
    SEVERITIES,
    SEVERITY,
    SYMBOLS_SHOWN,
    TAPEWATCH,
    by_severity,
    by_symbol,
    labels,
    severities_chart,
    symbols_bars,
    symbols_of,
    to_market,
    to_page,
)
from infra.grafana.objects.dashboard import Place, dashboard
from infra.grafana.objects.panels import chart, map_over_time, numbers, table
from infra.grafana.objects.queries import IN_RANGE, Json, over_time, sql
from services.contracts.anomaly import SCORE_COLORS, Severity
from services.contracts.postgres import ANOMALIES_TABLE

_ANOMALIES = f"""
FROM {ANOMALIES_TABLE}
WHERE {IN_RANGE}
  AND {CHOSEN_SYMBOLS}
  AND {CHOSEN_LABELS}
  AND {CHOSEN_SEVERITIES}
""".strip()
_NOT_INFO = f"severity <> '{Severity.INFO}'"

TOTALS = f"""
SELECT count(*) FILTER (WHERE {_NOT_INFO}) AS "Anomalies",
       count(*) FILTER (WHERE severity = '{Severity.CRITICAL}') AS "Critical"
{_ANOMALIES}
""".strip()

# Without a value where nothing was, Grafana would make cells as wide as the pauses between them.
MAP = f"""
SELECT $__timeGroupAlias(time, $interval, NULL),
       symbol,
       max(score) AS score
{_ANOMALIES}
  AND {_NOT_INFO}
  AND symbol IN (
    SELECT symbol
    {indent(_ANOMALIES, "    ").lstrip()}
      AND {_NOT_INFO}
    GROUP BY 1
    ORDER BY max(score) DESC, 1 LIMIT {SYMBOLS_SHOWN}
  )
GROUP BY 1, 2
"""

BY_SEVERITY = by_severity(_ANOMALIES)

BY_LABEL = f"""
SELECT $__timeGroupAlias(time, $interval),
       one AS label,
       count(*) AS anomalies
{_ANOMALIES.replace(ANOMALIES_TABLE, f"{ANOMALIES_TABLE}, unnest(labels) AS one", 1)}
GROUP BY 1, 2
"""

BY_SYMBOL = by_symbol(_ANOMALIES)

TOP = f"""
SELECT time, severity, score, symbol, array_to_string(labels, ', ') AS labels, message, price, size, trade_id
{_ANOMALIES}
ORDER BY score DESC, time, trade_id LIMIT {ROWS_SHOWN}
""".strip()


def anomalies() -> Json:
    """Return the dashboard."""
    symbols = symbols_bars("Anomalies", BY_SYMBOL, to_market("__data.fields.symbol"))
    return dashboard(
        ANOMALIES,
        "Anomalies",
        "What was unusual, when and why. Severity info marks expected events, outside the alert budget.",
        [symbols_of(ANOMALIES_TABLE), labels("label"), SEVERITY, INTERVAL, TAPEWATCH],
        [
            Place(numbers("Without info", sql(TOTALS), {"Anomalies": BLUE, "Critical": RED}), 0, 0, 4, 11),
            Place(_map(), 4, 0, 20, 11),
            Place(_top(), 0, 11, 24, 14),
            Place(severities_chart("Anomalies by severity", BY_SEVERITY), 0, 25, 8, 11),
            Place(_by_label(), 8, 25, 8, 11),
            Place(symbols, 16, 25, 8, 11),
        ],
    )


def _map() -> Json:
    return map_over_time(
        "Highest score by symbol and time, without info",
        over_time(MAP),
        series="${__field.labels.symbol}",
        colors=SCORE_COLORS,
        most_rows=SYMBOLS_SHOWN,
        links=[to_market("__field.labels.symbol")],
        description=f"The {SYMBOLS_SHOWN} symbols with the highest scores; choose others above.",
    )


def _by_label() -> Json:
    return chart(
        "Anomalies by label",
        [over_time(BY_LABEL)],
        unit="locale",
        series="${__field.labels.label}",
        colors=LABELS,
        is_stacked=True,
        description="An anomaly with two labels counts under each.",
    )


def _top() -> Json:
    return table(
        f"The {ROWS_SHOWN} highest scores and their reasons",
        sql(TOP),
        columns={
            "time": 180,
            "severity": 85,
            "score": 70,
            "symbol": 90,
            "labels": 170,
            "message": 0,
            "price": 100,
            "size": 100,
            "trade_id": 220,
        },
        links={"symbol": to_market("__value.raw"), "trade_id": to_page("anomaly", "anomaly")},
        colors={"severity": SEVERITIES},
        decimals={"score": 3},
    )
