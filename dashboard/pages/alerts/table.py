"""The list of alerts, in which rows are chosen and ticked to be worked on."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd
import streamlit as st

from dashboard.pages.alerts.details import page_url, status
from dashboard.ui import url_state
from dashboard.ui.row_list.row_list import Column, Kind, Row, show_rows
from dashboard.ui.times import format_times
from dashboard.ui.zone import zone
from services.contracts.alert import Alert
from services.review.case import (
    Case,
)

HEIGHT = 600


def columns() -> list[Column]:
    """Return the columns; their times are by the chosen clock."""
    return [
        Column("Time", zone().heading),
        Column("Symbol", "Symbol", Kind.NAME),
        Column("Severity", "Severity", Kind.SEVERITY),
        Column("Trades", "Trades", Kind.NUMBER),
        Column("Message", "Message", Kind.SENTENCE),
        Column("Case", "Case", Kind.TEXT),
        Column("Assigned to", "Assigned to", Kind.TEXT),
    ]


def show_alert_table(
    alerts: Sequence[Alert],
    cases: Mapping[str, Case],
    key: str,
    chosen: str | None = None,
    on_choose: Callable[[str | None], None] | None = None,
) -> None:
    """Show alerts, one a row; opens the page of the one that a person asks for.

    Parameters
    ----------
    alerts, cases
        What is shown; cases by id of the alert.
    key, chosen, on_choose
        As `show_rows` takes them; rows can be ticked if one can be chosen.
    """
    opened = show_rows(
        key, columns(), to_rows(alerts, cases), chosen, on_choose, HEIGHT, can_tick=on_choose is not None
    )
    if opened is not None:
        url_state.write(id=opened)
        st.rerun()


def to_rows(alerts: Sequence[Alert], cases: Mapping[str, Case]) -> list[Row]:
    """Lay alerts out for `columns`, in the same order."""
    stamps = pd.to_datetime([alert.timestamp for alert in alerts], format="ISO8601", utc=True)
    times = format_times(pd.Series(stamps, dtype="datetime64[ns, UTC]"))
    rows = []
    for alert, time in zip(alerts, times, strict=True):
        case = cases.get(alert.alert_id, Case())
        cells = (
            (time, ""),
            (alert.symbol, ""),
            (str(alert.severity), ""),
            (f"{alert.count:,}", ""),
            (alert.message, f"by the rule {alert.rule}"),
            (status(case), ""),
            (case.assignee or "", ""),
        )
        rows.append(Row(alert.alert_id, page_url(alert.alert_id), cells))
    return rows
