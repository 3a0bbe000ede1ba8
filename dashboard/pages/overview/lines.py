"""Lists of anomalies, alerts and incidents as HTML in which what comes from the data is only text."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from urllib.parse import quote

import pandas as pd

from dashboard.pages.overview.incidents import Incident
from dashboard.pages.overview.links import moment_url
from dashboard.pages.overview.state import SEVERITIES, View
from dashboard.ui.address_times import whole_minutes
from dashboard.ui.anomaly_table import anomaly_url
from dashboard.ui.times import format_time
from dashboard.ui.zone import zone
from services.contracts.alert import Alert
from services.contracts.anomaly import SEVERITY_COLORS, Severity
from services.review.corrections import VenueCorrection

MAX_NAMED = 8
"""Symbols of an incident that are named."""


def severity_html(severity: str, count: int | None = None) -> str:
    """Return a severity with its colour, and how many have it."""
    color = SEVERITY_COLORS[Severity(severity)]
    number = "" if count is None else f"{count:,} "
    return f'<span style="white-space:nowrap"><span style="color:{color}">●</span> {number}{severity}</span>'


def chips_html(by_severity: Mapping[str, int]) -> str:
    """Return counts by severity, the most urgent first, without those that are 0."""
    chips = [severity_html(one, by_severity[one]) for one in SEVERITIES if by_severity.get(one)]
    return f'<span class="tw-chips">{"".join(chips)}</span>'


def anomalies_html(rows: pd.DataFrame, corrections: Mapping[str, VenueCorrection], with_day: bool) -> str:
    """Return anomalies, each a link to its page.

    Parameters
    ----------
    rows
        As `to_anomaly_rows` lays them out.
    corrections
        By `trade_id`.
    with_day
        Whether to say on which day each was.
    """
    return _list(
        _line_html(
            anomaly_url(row["trade_id"]),
            row["symbol"],
            row["severity"],
            [at(row["time"], with_day), *_said(corrections.get(row["trade_id"]))],
            row["message"],
        )
        for row in rows.to_dict("records")
    )


def alerts_html(alerts: Sequence[Alert]) -> str:
    """Return alerts, each a link to its page."""
    return _list(
        _line_html(
            f"alerts?id={quote(alert.alert_id, safe='')}",
            alert.symbol,
            alert.severity,
            [at(pd.Timestamp(alert.timestamp), with_day=True), _count(alert.count, "anomalous trade")],
            alert.message,
        )
        for alert in alerts
    )


def incidents_html(incidents: Sequence[Incident], view: View, with_day: bool) -> str:
    """Return incidents, each a link to the overview of its moment."""
    lines = []
    for incident in incidents:
        first, last = (pd.Timestamp(ns, tz="UTC") for ns in (incident.first_ns, incident.last_ns))
        others = len(incident.symbols) - MAX_NAMED
        named = ", ".join(incident.symbols[:MAX_NAMED]) + (f" and {others:,} more" if others > 0 else "")
        minutes = whole_minutes(first.to_pydatetime(warn=False), last.to_pydatetime(warn=False))
        lines.append(
            _line_html(
                moment_url(view, minutes),
                f"{len(incident.symbols):,} symbols",
                incident.worst,
                [at(first, with_day)],
                f"{incident.anomalies:,} anomalies within {(last - first).total_seconds():.3f} s: {named}.",
            )
        )
    return _list(lines)


def at(time: pd.Timestamp, with_day: bool) -> str:
    """Return a time by the chosen clock, such as `15:30:34 UTC`."""
    return format_time(time, "%d %b %H:%M:%S" if with_day else "%H:%M:%S")


def _line_html(url: str, who: str, severity: str, facts: Sequence[str], sentence: str) -> str:
    said = " · ".join(escape(fact) for fact in facts)
    return (
        f'<a href="{escape(url)}" target="_self"><div><b>{escape(who)}</b> {severity_html(severity)} '
        f'<span class="tw-faint">{said}</span></div><div class="tw-said">{escape(sentence)}</div></a>'
    )


def _list(lines: Iterable[str]) -> str:
    items = "".join(f"<li>{line}</li>" for line in lines)
    return f'<ul class="tw-lines">{items}</ul>'


def _said(correction: VenueCorrection | None) -> list[str]:
    return [] if correction is None else [f"{correction.short(zone().zone)} by the venue"]


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
