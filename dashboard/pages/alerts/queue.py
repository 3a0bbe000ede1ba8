"""The list of alerts: filters, the table, and what can be done with the rows that are chosen."""

from collections.abc import Sequence

import streamlit as st

from dashboard.pages.alerts import state
from dashboard.pages.alerts.state import View
from dashboard.pages.alerts.table import show_alert_table
from dashboard.server.alerts import Filters, Found, find_alerts, find_symbols
from dashboard.settings import DashboardSettings
from dashboard.ui import url_state
from dashboard.ui.error_boundary import error_boundary
from dashboard.ui.folded import folded
from dashboard.ui.markdown import as_markdown, show_text
from dashboard.ui.row_list.row_list import ticked
from dashboard.ui.who import ask_who, needed
from services.common.elastic.client import Elasticsearch
from services.common.errors import TapewatchError
from services.contracts.alert import Alert
from services.contracts.anomaly import Severity
from services.review.case import (
    Action,
    Step,
)
from services.review.cases import (
    cases_of,
    take_step,
)
from services.review.history import MAX_COMMENT, Person

TABLE = "alerts-table"
_MOST_NAMED = 5
"""Alerts that are named one by one."""

_NOTHING = {
    View.OPEN: "No open alert fits these filters. Remove one to see more, or look at the closed ones.",
    View.MINE: "No open alert is assigned to you. Open one, and assign it to your name.",
    View.UNASSIGNED: "Every open alert that fits is assigned to somebody.",
    View.CLOSED: "No closed alert fits these filters. Close one on its page.",
}


def show_queue(client: Elasticsearch) -> None:
    """Show the list."""
    symbols = find_symbols(client)
    if not symbols:
        st.info("No alerts yet: start `tapewatch alert`.", icon=":material/notifications_off:")
        show_text(
            "It groups anomalies into alerts and sends them; `tapewatch index` stores them where this page "
            "looks. Trades of the past make alerts, too, which are listed but not sent."
        )
        wait_for_first(client)
        return
    state.take_from_address()
    person = choose(symbols)
    state.write_to_address()
    filters = state.filters_for(person)
    if filters is None:
        st.info("Enter your name to see what is assigned to you.", icon=":material/person:")
        return
    found = find_alerts(client, filters)
    show_steps(client, found.alerts, person)
    show_found(client, filters, found)


def wait_for_first(client: Elasticsearch) -> None:
    """Show the list as soon as there is an alert."""

    @st.fragment(run_every=DashboardSettings().refresh_s)
    def look() -> None:
        with error_boundary():
            if find_symbols(client):
                st.rerun()

    look()


def choose(symbols: Sequence[str]) -> Person | None:
    """Show the filters; returns who is at the screen, if that is known."""
    # Symbols of the address that nobody knows are shown, too, and can be taken away.
    known = [*symbols, *(one for one in st.session_state["alerts-symbols"] if one not in symbols)]
    with (
        folded("alerts") as fold,
        st.container(horizontal=True, gap="small", vertical_alignment="bottom"),
    ):
        st.segmented_control(
            "Show",
            list(View),
            format_func=str.capitalize,
            required=True,
            key="alerts-view",
            on_change=url_state.note_control,
        )
        severities = st.multiselect(
            "Severity",
            list(reversed(Severity)),
            placeholder="All",
            key="alerts-severities",
            on_change=url_state.note_control,
        )
        found = st.multiselect(
            "Symbols", known, placeholder="All", key="alerts-symbols", on_change=url_state.note_control
        )
        person = ask_who("alerts-who")
        view = View(st.session_state["alerts-view"])
        fold.say([view, *severities, *found, "no name" if person is None else person.name])
    return person


def show_steps(client: Elasticsearch, alerts: Sequence[Alert], person: Person | None) -> None:
    """Show what can be done with the chosen rows, and do it."""
    # What is ticked, or else the chosen row.
    ids = ticked(TABLE) or list(filter(None, [state.chosen()]))
    chosen = [alert for alert in alerts if alert.alert_id in ids]
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        acknowledges = st.button(
            f"Acknowledge {len(chosen)}" if len(chosen) > 1 else "Acknowledge",
            shortcut="a",
            type="primary",
            icon=":material/check:",
            disabled=not chosen,
            key="alerts-acknowledge",
        )
        # Streamlit keeps the key C for itself.
        comments = st.button("Comment", shortcut="m", icon=":material/comment:", disabled=not chosen)
        if chosen:
            st.text(f"Chosen: {chosen[0].symbol if len(chosen) == 1 else len(chosen)}", width="content")
    if comments:
        ask_for_comment(client, chosen, person)
    if acknowledges:
        record_all(client, chosen, Step(Action.ACKNOWLEDGED), person)


@st.dialog("Comment")
def ask_for_comment(client: Elasticsearch, alerts: Sequence[Alert], person: Person | None) -> None:
    """Ask for a comment on each of the chosen alerts."""
    for alert in alerts[:_MOST_NAMED]:
        st.text(f"{alert.symbol}: {alert.message}")
    if len(alerts) > _MOST_NAMED:
        st.text(f"and {len(alerts) - _MOST_NAMED} more")
    with st.form("alerts-comment", border=False):
        comment = st.text_area("Comment", max_chars=MAX_COMMENT, height=120)
        is_submitted = st.form_submit_button("Record", type="primary")
    if is_submitted:
        with error_boundary():
            if record_all(client, alerts, Step(Action.COMMENTED, comment), person):
                st.rerun()


def record_all(client: Elasticsearch, alerts: Sequence[Alert], step: Step, person: Person | None) -> bool:
    """Take a step in the case of each alert, and say how it went; returns whether all were recorded."""
    refused: list[tuple[Alert, TapewatchError]] = []
    for alert in alerts:
        try:
            take_step(client, alert, state.seen_case(alert.alert_id), step, needed(person))
        except TapewatchError as error:
            refused.append((alert, error))
    done = len(alerts) - len(refused)
    if done:
        what = as_markdown(alerts[0].symbol) if len(alerts) == 1 else f"{done} of {len(alerts)}"
        st.toast(f"{str(step.action).capitalize()}: {what}", icon=":material/check:")
    if refused:
        st.warning(f"Not {step.action}: {len(refused)} of {len(alerts)}.", icon=":material/group:")
        for alert, reason in refused[:_MOST_NAMED]:
            st.text(f"{alert.symbol}: {reason.cause} {reason.hint}")
    return not refused


def show_found(client: Elasticsearch, filters: Filters, found: Found) -> None:
    """Show the alerts that fit, and whether there are newer ones by now."""
    cases = cases_of(client, [alert.alert_id for alert in found.alerts])
    state.note_seen(cases)
    if not found.total:
        st.info(_NOTHING[View(st.session_state["alerts-view"])], icon=":material/inbox:")
    else:
        shown = len(found.alerts)
        some = (
            f"The newest {shown:,} of {found.total:,} alerts" if shown < found.total else f"{shown:,} alerts"
        )
        st.markdown(f"**{some if found.total > 1 else '1 alert'}**")
        show_alert_table(found.alerts, cases, TABLE, state.chosen(), state.choose)
        st.caption("Tick rows to acknowledge or comment on several at once. Press ? for the keys.")
    watch(client, filters, found)


def watch(client: Elasticsearch, filters: Filters, found: Found) -> None:
    """Say when there are newer alerts; the rows stay where they are until somebody asks for them."""

    @st.fragment(run_every=DashboardSettings().refresh_s)
    def look_again() -> None:
        with error_boundary():
            now = find_alerts(client, filters, most=0)
            if (now.total, now.newest) == (found.total, found.newest):
                return
            if st.button("The list has changed: show it again", icon=":material/refresh:", type="primary"):
                st.rerun()

    look_again()
