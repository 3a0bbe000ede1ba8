"""The words of one alert as HTML in which what comes from the data is only text."""

from collections.abc import Mapping
from html import escape
from urllib.parse import quote

import pandas as pd

from dashboard.ui.times import format_time, format_times
from dashboard.ui.who import said_how
from dashboard.ui.zone import zone
from services.contracts.alert import Alert, AlertState, Sending
from services.contracts.anomaly import SEVERITY_COLORS
from services.review.case import (
    Action,
    Case,
    Entry,
)

_FAINT = "opacity:0.65"

_STATES = {
    AlertState.OPENED: "going on",
    AlertState.GREW: "going on",
    AlertState.CLOSED: "over",
    AlertState.WITHDRAWN: "taken back by the detector",
}
_MARKS = {
    Action.ACKNOWLEDGED: "✓",
    Action.ASSIGNED: "→",
    Action.COMMENTED: "“",
    Action.LINKED: "⚭",
    Action.CLOSED: "■",
    Action.REOPENED: "□",
}


def page_url(alert_id: str) -> str:
    """Return the address of an alert's page, relative to any page of the dashboard."""
    return f"alerts?id={quote(alert_id, safe='')}"


def status(case: Case) -> str:
    """Say where a case stands: `new`, `acknowledged by Kim`, `closed as confirmed by Kim`."""
    if case.closed is not None:
        return f"closed as {case.closed.outcome} by {case.closed.recorded_by}"
    if case.acknowledged is not None:
        return f"acknowledged by {case.acknowledged.recorded_by}"
    return "reopened" if any(entry.action is Action.REOPENED for entry in case.entries) else "new"


def sending_words(alert: Alert) -> str:
    """Say whether the newest revision is to be sent."""
    if alert.inhibited_by:
        return "no: a more urgent alert on this symbol was open"
    if alert.sending is Sending.STALE:
        return "no: its trades were old when it was decided"
    return "yes"


def headline_html(alert: Alert, case: Case) -> str:
    """Return the severity, the message, where the case stands, and the alert's facts."""
    color = SEVERITY_COLORS[alert.severity]
    facts = [
        ("Symbol", alert.symbol),
        ("Case", status(case)),
        ("Assigned to", case.assignee or "nobody"),
        ("Anomalous trades", f"{alert.count:,}"),
        ("Score", f"{alert.score:.3f}"),
        ("Labels", ", ".join(alert.labels)),
        (f"First trade ({zone().city})", _time(alert.timestamp)),
        (f"Last trade ({zone().city})", _time(alert.last_time)),
        ("On the tape", _STATES[alert.state]),
        ("Cancelled trades", f"{len(alert.cancelled):,}" if alert.cancelled else None),
        ("To be sent", sending_words(alert)),
        ("Rule", alert.rule),
        ("Revision", str(alert.revision)),
        ("Alert id", alert.alert_id),
    ]
    shown = "".join(
        f'<div><div style="{_FAINT};font-size:0.8rem">{escape(name)}</div>'
        f'<div style="overflow-wrap:anywhere">{escape(value)}</div></div>'
        for name, value in facts
        if value is not None
    )
    return (
        f'<div style="font-size:1.15rem;line-height:1.45;margin-bottom:0.8rem;overflow-wrap:anywhere">'
        f'<span style="color:{color}">●</span> <b style="font-weight:600">{escape(alert.severity)}</b>&ensp;'
        f"{escape(alert.message)}</div>"
        f'<div style="display:flex;flex-wrap:wrap;gap:0.5rem 2rem;line-height:1.4">{shown}</div>'
    )


def history_html(case: Case, links: Mapping[str, str]) -> str:
    """Return what was done, the newest first.

    Parameters
    ----------
    case
        The case.
    links
        By id of another alert, what it is called.
    """
    entries = "".join(_entry_html(entry, links) for entry in reversed(case.entries))
    return f'<div style="line-height:1.45;overflow-wrap:anywhere">{entries}</div>'


def _entry_html(entry: Entry, links: Mapping[str, str]) -> str:
    did = escape(entry.sentence)
    if entry.linked_to:
        name = escape(links.get(entry.linked_to, entry.linked_to))
        did = f'linked it to <a href="{page_url(entry.linked_to)}" target="_self">{name}</a>'
    comment = f'<div style="white-space:pre-wrap">{escape(entry.comment)}</div>' if entry.comment else ""
    return (
        '<div style="display:flex;gap:0.7rem;padding:0.45rem 0;border-top:1px solid rgba(128,128,128,0.25)">'
        f'<div style="{_FAINT};width:1rem;text-align:center">{_MARKS[entry.action]}</div>'
        f"<div><b>{escape(entry.recorded_by)}</b> {did}"
        f'<div style="{_FAINT};font-size:0.85rem">{format_time(entry.recorded_at)} · '
        f"{said_how(entry.signed_in)}</div>{comment}</div></div>"
    )


def _time(text: str) -> str:
    return str(format_times(pd.Series(pd.to_datetime([text], format="ISO8601", utc=True)))[0])
