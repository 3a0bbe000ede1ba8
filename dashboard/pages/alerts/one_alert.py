"""One alert: its facts, its case, the trades around it, and how it was sent."""

from typing import Any
from urllib.parse import quote

import pandas as pd
import streamlit as st

from dashboard.pages.alerts.actions import show_actions
from dashboard.pages.alerts.details import headline_html, history_html
from dashboard.pages.alerts.silence_form import ask_for_silence
from dashboard.pages.alerts.state import note_seen
from dashboard.pages.alerts.table import HEIGHT, show_alert_table
from dashboard.server.alerts import MAX_EARLIER, find_alerts_by_id, find_deliveries, find_earlier_alerts
from dashboard.server.anomaly_rows import find_anomalies
from dashboard.server.one_anomaly import Document, find_anomaly
from dashboard.ui import url_state
from dashboard.ui.anomaly_table import show_anomaly_table
from dashboard.ui.page_title import set_title
from dashboard.ui.times import format_times
from dashboard.ui.trades_around import show_around
from dashboard.ui.who import who
from dashboard.ui.zone import zone
from services.common.elastic.client import Elasticsearch
from services.contracts.alert import Alert, Matcher
from services.review.case import (
    Case,
)
from services.review.cases import (
    cases_of,
    linked_from,
)
from services.review.corrections import corrections_of
from services.review.verdicts import verdicts_of


def show_alert(client: Elasticsearch, alert_id: str) -> None:
    """Show the alert with this id."""
    if st.button("All alerts", icon=":material/arrow_back:", type="tertiary"):
        url_state.write(id=None, around=None, by=None, axis=None)
        st.rerun()
    alert = find_alerts_by_id(client, [alert_id]).get(alert_id)
    if alert is None:
        st.info("No alert with this id is indexed.", icon=":material/search_off:")
        st.text(alert_id)
        st.text(
            "Check that the id is complete. The alert may have been deleted because of its age, or it is so "
            "new that it is not indexed yet: reload the page."
        )
        return
    set_title(alert.symbol, "alert")
    headline = st.container()
    history, actions = st.columns([2, 1], gap="large")
    with actions:
        show_actions(client, alert)
    case = cases_of(client, [alert_id]).get(alert_id, Case())
    note_seen({alert_id: case})
    with headline:
        st.html(headline_html(alert, case))
        show_links(client, alert)
    with history:
        show_history(client, alert, case)
    show_around(client, find_anomaly(client, alert.worst.trade.trade_id) or worst_of(alert))
    show_anomalies(client, alert)
    show_deliveries(client, alert)
    show_earlier(client, alert)


def show_links(client: Elasticsearch, alert: Alert) -> None:
    """Show the links to this very view and to others, and the button that silences alerts like this one."""
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.popover("Link to this view", icon=":material/link:"):
            st.code(f"{st.context.url or ''}?id={quote(alert.alert_id, safe='')}", language=None)
        if kibana := alert.links.get("kibana"):
            st.link_button("Open in Kibana", kibana, icon=":material/open_in_new:")
        if st.button("Silence", icon=":material/notifications_paused:"):
            ask_for_silence(client, who(), Matcher([alert.symbol], alert.labels, [alert.rule]))


def show_history(client: Elasticsearch, alert: Alert, case: Case) -> None:
    """Show what was done, and the alerts that are linked with this one."""
    st.markdown("#### History")
    back = linked_from(client, alert.alert_id)
    others = find_alerts_by_id(client, [*case.links, *back])
    names = {key: f"{other.symbol}: {other.message}" for key, other in others.items()}
    if case.entries:
        st.html(history_html(case, names))
    else:
        st.caption("Nobody has worked on it yet. Acknowledge it, so that others see that you do.")
    if linked := [others[key] for key in back if key in others]:
        st.caption("Linked from")
        show_alert_table(linked, cases_of(client, [other.alert_id for other in linked]), "linked")


def show_anomalies(client: Elasticsearch, alert: Alert) -> None:
    """Show the anomalies that the alert is made of."""
    st.markdown("#### Its anomalies")
    rows = find_anomalies(client, alert.anomalies)
    if rows.empty:
        st.text("None of them is indexed any more.")
        return
    if len(rows) < alert.count:
        st.text(f"{len(rows):,} of {alert.count:,}: the newest that are still indexed")
    ids = rows["trade_id"].tolist()
    show_anomaly_table(
        rows, verdicts_of(client, ids), corrections_of(client, ids), "alert-anomalies", height=HEIGHT
    )


def show_deliveries(client: Elasticsearch, alert: Alert) -> None:
    """Show every try to send the alert."""
    st.markdown("#### How it was sent")
    found = find_deliveries(client, alert.alert_id)
    if not found:
        st.text("It was not sent, and nobody has tried.")
        return
    st.dataframe(
        to_delivery_table(found),
        hide_index=True,
        width="stretch",
        column_config={
            zone().heading: st.column_config.TextColumn(width=175),
            "Seconds": st.column_config.NumberColumn(format="%.3f", width=80),
            **{name: st.column_config.Column(width=80) for name in ("Revision", "Try", "Answer")},
        },
    )


def to_delivery_table(found: list[dict[str, Any]]) -> pd.DataFrame:
    """Lay records of tries out under the headings that a person sees, in the same order."""
    times = pd.Series(pd.to_datetime([one["@timestamp"] for one in found], format="ISO8601", utc=True))
    return pd.DataFrame(
        {
            zone().heading: format_times(times),
            "Channel": [one["channel"] for one in found],
            "Revision": [one["revision"] for one in found],
            "Outcome": [one["outcome"] for one in found],
            "Try": [one.get("attempt") or None for one in found],
            "Answer": [one.get("status") for one in found],
            "Seconds": [one.get("seconds") for one in found],
            "Why": [one.get("reason", "") for one in found],
        }
    )


def show_earlier(client: Elasticsearch, alert: Alert) -> None:
    """Show earlier alerts on the same symbol."""
    st.markdown("#### Earlier alerts on this symbol")
    earlier = find_earlier_alerts(client, alert)
    if not earlier.total:
        st.text(f"{alert.symbol} has no earlier alert.")
        return
    if earlier.total > MAX_EARLIER:
        st.text(f"The newest {MAX_EARLIER} of {earlier.total:,}")
    show_alert_table(
        earlier.alerts, cases_of(client, [one.alert_id for one in earlier.alerts]), "earlier-alerts"
    )


def worst_of(alert: Alert) -> Document:
    """Return the worst trade as far as the alert itself tells it, of an anomaly that is not indexed."""
    trade = alert.worst.trade
    return {
        "@timestamp": trade.time,
        "trade_id": trade.trade_id,
        "symbol": alert.symbol,
        "price": trade.price,
        "size": trade.size,
        "side": trade.side,
    }
