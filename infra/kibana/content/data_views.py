"""The data views: one for each kind of index."""

from urllib.parse import quote

from infra.kibana.content.looks import SEVERITIES
from infra.kibana.objects.data_view import DAY, NANOSECONDS, Format, data_view, link, number, painted, words
from infra.kibana.objects.saved_object import TIME_FIELD, SavedObject
from services.contracts import indices
from services.contracts.trade import SIDE_WORDS

_DELAY = (
    "if (doc.containsKey('detected_at') && doc['detected_at'].size() > 0 && doc['@timestamp'].size() > 0) {"
    " emit((doc['detected_at'].value.toInstant().toEpochMilli()"
    " - doc['@timestamp'].value.toInstant().toEpochMilli()) / 1000.0) }"
)


def data_views(dashboard_url: str | None) -> list[SavedObject]:
    """Return the data views; ids link to Tapewatch's own pages where their address is known."""
    severity = {"severity": painted(SEVERITIES)}
    score = number("0.000")
    time = {TIME_FIELD: NANOSECONDS}
    trade = {
        **time,
        "price": number("0,0.00[0000000]"),
        "size": number("0,0.[000000000]"),
        "side": words(SIDE_WORDS),
        "ts_recv": NANOSECONDS,
    }
    anomaly_link = _link(dashboard_url, "anomaly", "trade_id")
    alert_link = _link(dashboard_url, "alerts", "alert_id")
    anomaly = {
        **trade,
        **severity,
        **anomaly_link,
        "score": score,
        "detections.score": score,
        "session": DAY,
        "detected_at": NANOSECONDS,
        "late_s": number("0,0.000"),
    }
    alert = {
        **time,
        **severity,
        **alert_link,
        "score": score,
        "session": DAY,
        "last_time": NANOSECONDS,
        "decided_at": NANOSECONDS,
    }
    correction = {**time, **anomaly_link, "price": trade["price"], "size": trade["size"]}
    delivery = {**time, **severity, **alert_link, "seconds": number("0,0.000"), "retry_at": NANOSECONDS}
    count = {**time, "count": number("0,0")}
    return [
        data_view(indices.TRADES_DATA_VIEW, "Trades", indices.TRADES_INDICES, trade),
        data_view(
            indices.ANOMALIES_DATA_VIEW,
            "Anomalies",
            indices.ANOMALIES_INDICES,
            anomaly,
            {"delay_s": _DELAY},
        ),
        data_view(indices.CORRECTIONS_DATA_VIEW, "Corrections", indices.CORRECTIONS_INDICES, correction),
        data_view(indices.FEED_EVENTS_DATA_VIEW, "Feed events", indices.FEED_EVENTS_INDICES, count),
        data_view(indices.ALERTS_DATA_VIEW, "Alerts", indices.ALERTS_INDICES, alert),
        data_view(
            indices.ALERT_DELIVERIES_DATA_VIEW, "Deliveries", indices.ALERT_DELIVERIES_INDICES, delivery
        ),
        data_view(
            indices.SILENCES_DATA_VIEW,
            "Silences",
            indices.SILENCES_INDEX,
            {**time, "expires_at": NANOSECONDS},
        ),
        data_view(indices.CASES_DATA_VIEW, "Cases", indices.CASES_INDEX, {**time, **alert_link}),
        data_view(indices.VERDICTS_DATA_VIEW, "Verdicts", indices.VERDICTS_INDEX, {**time, **anomaly_link}),
    ]


def page(dashboard_url: str, path: str) -> str:
    """Return the address of one of Tapewatch's own pages."""
    return f"{dashboard_url}/{quote(path)}"


def _link(dashboard_url: str | None, path: str, field: str) -> dict[str, Format]:
    return {field: link(f"{page(dashboard_url, path)}?id={{{{value}}}}")} if dashboard_url else {}
