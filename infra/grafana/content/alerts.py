"""The dashboard *Alerts*: what people were told."""

from infra.grafana.content.looks import (
    ALERTS,
    BLUE,
    CHOSEN_LABELS,
    CHOSEN_SEVERITIES,
    CHOSEN_SYMBOLS,
    INTERVAL,
    RED,
    ROWS_SHOWN,
    SEVERITIES,
    SEVERITY,
    TAPEWATCH,
    by_severity,
    by_symbol,
    labels,
    severities_chart,
    symbols_bars,
    symbols_of,
    to_anomalies,
    to_page,
)
from infra.grafana.objects.dashboard import Place, dashboard
from infra.grafana.objects.panels import numbers, table
from infra.grafana.objects.queries import IN_RANGE, Json, sql
from services.contracts.alert import AlertState
from services.contracts.anomaly import Severity
from services.contracts.postgres import ALERTS_TABLE

# The newest revision of an alert counts. A choice must not fall on an older one, so it comes after that.
_ALERTS = f"""
FROM (
  SELECT DISTINCT ON (day, alert_id) *
  FROM {ALERTS_TABLE}
  WHERE {IN_RANGE}
  ORDER BY day, alert_id, revision DESC
) AS newest
WHERE {CHOSEN_SYMBOLS}
  AND {CHOSEN_LABELS}
  AND {CHOSEN_SEVERITIES}
""".strip()
_IS_OPEN = f"state NOT IN ('{AlertState.CLOSED}', '{AlertState.WITHDRAWN}')"

TOTALS = f"""
SELECT count(*) AS "Alerts",
       count(*) FILTER (WHERE {_IS_OPEN}) AS "Open",
       count(*) FILTER (WHERE severity = '{Severity.CRITICAL}') AS "Critical"
{_ALERTS}
""".strip()

BY_SEVERITY = by_severity(_ALERTS)

NEWEST = f"""
SELECT time, severity, state, symbol, array_to_string(labels, ', ') AS labels, message, count, rule, alert_id
{_ALERTS}
ORDER BY time DESC, alert_id LIMIT {ROWS_SHOWN}
""".strip()

BY_SYMBOL = by_symbol(_ALERTS)

BY_RULE = f"""
SELECT rule,
       count(*) AS alerts,
       count(*) FILTER (WHERE {_IS_OPEN}) AS open,
       count(*) FILTER (WHERE severity = '{Severity.CRITICAL}') AS critical,
       sum(count) AS anomalies,
       count(DISTINCT symbol) AS symbols
{_ALERTS}
GROUP BY 1
ORDER BY 2 DESC, 1 LIMIT {ROWS_SHOWN}
""".strip()


def alerts() -> Json:
    """Return the dashboard."""
    newest = table(
        f"The newest {ROWS_SHOWN} alerts",
        sql(NEWEST),
        columns={
            "time": 180,
            "severity": 85,
            "state": 90,
            "symbol": 90,
            "labels": 170,
            "message": 0,
            "count": 70,
            "rule": 130,
            "alert_id": 280,
        },
        links={"symbol": to_anomalies("__value.raw"), "alert_id": to_page("alerts", "alert")},
        colors={"severity": SEVERITIES},
    )
    severities = severities_chart("Alerts by severity, at their first anomaly", BY_SEVERITY)
    symbols = symbols_bars("Alerts", BY_SYMBOL, to_anomalies("__data.fields.symbol"))
    rules = table(
        "Rules",
        sql(BY_RULE),
        columns={"rule": 200, "alerts": 90, "open": 90, "critical": 90, "anomalies": 110, "symbols": 90},
    )
    return dashboard(
        ALERTS,
        "Alerts",
        "What people were told, by the newest revision of each alert.",
        [symbols_of(ALERTS_TABLE), labels("labels[1]"), SEVERITY, INTERVAL, TAPEWATCH],
        [
            Place(
                numbers("Alerts", sql(TOTALS), {"Alerts": BLUE, "Open": BLUE, "Critical": RED}), 0, 0, 4, 10
            ),
            Place(severities, 4, 0, 20, 10),
            Place(newest, 0, 10, 24, 13),
            Place(symbols, 0, 23, 12, 10),
            Place(rules, 12, 23, 12, 10),
        ],
    )
