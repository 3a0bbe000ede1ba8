"""The dashboard *Alerts*: what people were told, how it reached them, and what they made of it."""

from infra.kibana.content.looks import BLUE, CRITICAL, GRAY, RED, ROWS_SHOWN, SEVERITIES, columns
from infra.kibana.objects.charts import big_number, chart, table
from infra.kibana.objects.columns import count, measure, percentile, top_values
from infra.kibana.objects.dashboard import Panel, dashboard
from infra.kibana.objects.saved_object import TIME_FIELD, SavedObject, TimeRange
from infra.kibana.objects.search import search
from services.contracts.alert import AlertState, Outcome
from services.contracts.indices import ALERT_DELIVERIES_DATA_VIEW as DELIVERIES
from services.contracts.indices import ALERTS_DATA_VIEW as VIEW
from services.contracts.indices import CASES_DATA_VIEW as CASES
from services.contracts.indices import SILENCES_DATA_VIEW as SILENCES
from services.contracts.indices import VERDICTS_DATA_VIEW as VERDICTS

ALERTS = "tapewatch-alerts-dashboard"

LATELY = TimeRange("now-7d", "now")
"""For what has the time of the clock, not the tape's: a day that is replayed is told of today."""

IS_OPEN = f'not state: ("{AlertState.CLOSED}" or "{AlertState.WITHDRAWN}")'
NOT_SENT = f'outcome: ("{Outcome.FAILED}" or "{Outcome.DEAD}")'

_OUTCOMES = {
    Outcome.SENT: "#5a8f29",
    Outcome.QUEUED: BLUE,
    Outcome.SILENCED: GRAY,
    Outcome.HELD: "#9c4fd6",
    Outcome.FAILED: "#fb8c0c",
    Outcome.DEAD: RED,
}
_KINDS_SHOWN = 20


def alerts(times: TimeRange, links: SavedObject, anomalies_dashboard: str) -> list[SavedObject]:
    """Return the dashboard after what it shows."""
    charts, searches = _charts(), _searches(times)
    to_anomalies = ("Anomalies of this symbol", anomalies_dashboard)
    made = dashboard(
        ALERTS,
        "Alerts",
        "Alerts, their deliveries, and what people said. Deliveries are those of the last seven days.",
        times,
        [
            Panel(links, 0, 0, 48, 4, has_title=False),
            Panel(charts["open"], 0, 4, 8, 7, has_title=False),
            Panel(charts["critical"], 0, 11, 8, 7, has_title=False),
            Panel(charts["severities"], 8, 4, 40, 14),
            Panel(searches["alerts"], 0, 18, 48, 16),
            Panel(charts["rules"], 0, 34, 24, 12),
            Panel(charts["symbols"], 24, 34, 24, 12, drilldown=to_anomalies),
            Panel(charts["outcomes"], 0, 46, 24, 12, times=LATELY),
            Panel(charts["channels"], 24, 46, 24, 12, times=LATELY),
            Panel(searches["failures"], 0, 58, 48, 12, times=LATELY),
            Panel(charts["verdicts"], 0, 70, 24, 12),
            Panel(charts["cases"], 24, 70, 24, 12),
            Panel(searches["cases"], 0, 82, 24, 14),
            Panel(searches["verdicts"], 24, 82, 24, 14),
        ],
        {"symbol": ("Symbol", VIEW)},
    )
    return [*charts.values(), *searches.values(), made]


def _charts() -> dict[str, SavedObject]:
    return {
        "open": big_number(
            "tapewatch-open-alerts",
            "Open alerts",
            VIEW,
            count("Alerts still open", query=IS_OPEN),
            BLUE,
            color_of_none=GRAY,
        ),
        "critical": big_number(
            "tapewatch-critical-alerts",
            "Alerts of severity critical",
            VIEW,
            count("Critical alerts", query=CRITICAL),
            RED,
            color_of_none=GRAY,
        ),
        "severities": chart(
            "tapewatch-alerts-by-severity",
            "Alerts by severity, at their first anomaly",
            VIEW,
            "bar_stacked",
            {"alerts": count("Alerts")},
            unit="Alerts",
            split=top_values("severity", "Severity", len(SEVERITIES), by="alerts"),
            colors=SEVERITIES,
        ),
        "rules": table(
            "tapewatch-alerts-by-rule",
            "Rules",
            VIEW,
            top_values("rule", "Rule", ROWS_SHOWN, by="alerts"),
            {
                "alerts": count("Alerts"),
                "critical": count("Critical", query=CRITICAL),
                "open": count("Open", query=IS_OPEN),
                "prints": measure("sum", "count", "Anomalies"),
                "symbols": measure("unique_count", "symbol", "Symbols"),
            },
        ),
        "symbols": table(
            "tapewatch-alerts-by-symbol",
            "Symbols with alerts; filter by one in its cell",
            VIEW,
            top_values("symbol", "Symbol", ROWS_SHOWN, by="alerts"),
            {
                "alerts": count("Alerts"),
                "critical": count("Critical", query=CRITICAL),
                "score": measure("max", "score", "Highest score"),
            },
        ),
        "outcomes": chart(
            "tapewatch-deliveries-by-outcome",
            "Deliveries by outcome",
            DELIVERIES,
            "bar_stacked",
            {"deliveries": count("Deliveries")},
            unit="Deliveries",
            split=top_values("outcome", "Outcome", len(Outcome), by="deliveries"),
            colors={str(outcome): color for outcome, color in _OUTCOMES.items()},
            description="By the clock at which they were sent.",
        ),
        "channels": table(
            "tapewatch-channels",
            "Channels",
            DELIVERIES,
            top_values("channel", "Channel", ROWS_SHOWN, by="tries"),
            {
                "tries": count("Records"),
                "sent": count("Sent", query=f'outcome: "{Outcome.SENT}"'),
                "failed": count("Failed", query=f'outcome: "{Outcome.FAILED}"'),
                "dead": count("Given up", query=f'outcome: "{Outcome.DEAD}"'),
                "median": measure("median", "seconds", "Median, s"),
                "slow": percentile("seconds", 95, "95 % within, s"),
            },
        ),
        "verdicts": chart(
            "tapewatch-verdicts-by-kind",
            "Verdicts on anomalies, at the anomalies' times",
            VERDICTS,
            "bar_stacked",
            {"verdicts": count("Verdicts")},
            unit="Verdicts",
            split=top_values("verdict", "Verdict", _KINDS_SHOWN, by="verdicts"),
            colors={"confirmed": RED, "false alarm": BLUE, "withdrawn": GRAY},
            description="Every entry counts, those that a later one replaced too.",
        ),
        "cases": chart(
            "tapewatch-case-steps",
            "Steps in cases, at the alerts' times",
            CASES,
            "bar_stacked",
            {"steps": count("Steps")},
            unit="Steps",
            split=top_values("action", "Action", _KINDS_SHOWN, by="steps"),
        ),
    }


def _searches(times: TimeRange) -> dict[str, SavedObject]:
    return {
        "alerts": search(
            "tapewatch-newest-alerts",
            "Alerts, newest first; the id leads to Tapewatch's page of it",
            VIEW,
            columns("severity", "state", "symbol", "labels", "message", "count", "rule", "alert_id"),
            TIME_FIELD,
            times,
        ),
        "failures": search(
            "tapewatch-failed-deliveries",
            "Deliveries that failed",
            DELIVERIES,
            columns("channel", "outcome", "attempt", "status", "reason", "severity", "symbol", "alert_id"),
            TIME_FIELD,
            LATELY,
            query=NOT_SENT,
        ),
        "cases": search(
            "tapewatch-newest-case-steps",
            "Steps in cases, newest first",
            CASES,
            columns("recorded_at", "symbol", "action", "outcome", "recorded_by", "comment", "alert_id"),
            "recorded_at",
            times,
        ),
        "verdicts": search(
            "tapewatch-newest-verdicts",
            "Verdicts, newest first",
            VERDICTS,
            columns("recorded_at", "symbol", "verdict", "recorded_by", "comment", "trade_id"),
            "recorded_at",
            times,
        ),
        "silences": search(
            "tapewatch-silences-made",
            "Silences",
            SILENCES,
            {"expires_at": 225, "reason": 420, "author": 150, "matcher.symbols": 160, "matcher.labels": 160},
            TIME_FIELD,
            LATELY,
        ),
    }
