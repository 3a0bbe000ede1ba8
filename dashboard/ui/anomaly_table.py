"""The table of anomalies."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import pandas as pd
import streamlit as st

from dashboard.ui.exchange import exchange
from dashboard.ui.times import format_times
from services.contracts.anomaly import SEVERITY_COLORS
from services.review.corrections import VenueCorrection
from services.review.verdicts import Verdict

HEIGHT = 460

_ECHO_S = 2.0
"""For this long after a move, the browser may still send the row that was chosen before it."""


def show_anomaly_table(
    rows: pd.DataFrame,
    verdicts: Mapping[str, Verdict],
    corrections: Mapping[str, VenueCorrection],
    key: str,
    selected: str | None,
    on_select: Callable[[str | None], None],
) -> None:
    """Show anomalies, one a row, in the order given.

    Parameters
    ----------
    rows
        As in `AnomalySummary.rows`.
    verdicts, corrections
        By `trade_id`.
    key
        Key of the table in the session's state.
    selected
        The `trade_id` of the selected row, wherever it is now; None, or an id that is not in the table,
        selects no row.
    on_select
        Called with the `trade_id` that a person has selected, or None.
    """
    trade_ids = rows["trade_id"].tolist()

    def take_choice() -> None:
        rows = _chosen_rows(key)
        before, at_s = st.session_state.get(moved_key, (rows, -math.inf))
        if rows != before or time.monotonic() - at_s > _ECHO_S:
            on_select(trade_ids[rows[0]] if rows and rows[0] < len(trade_ids) else None)

    # Rows move when new ones come, and the choice with them. What the browser sends before it has heard of
    # that is no choice of a person.
    moved_key = f"{key}-moved"
    chosen = [trade_ids.index(selected)] if selected in trade_ids else []
    if (before := _chosen_rows(key)) != chosen:
        st.session_state[moved_key] = (before, time.monotonic())
        st.session_state[key] = {"selection": {"rows": chosen, "columns": [], "cells": []}}
    st.dataframe(
        to_judged_table(rows, verdicts, corrections),
        width="stretch",
        height=HEIGHT,
        hide_index=True,
        key=key,
        on_select=take_choice,
        selection_mode="single-row",
        column_config=column_config(rows),
    )


def column_config(rows: pd.DataFrame, headings: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return how each column of `to_judged_table` shows.

    Parameters
    ----------
    rows
        As in `AnomalySummary.rows`.
    headings
        By column: what its heading says instead of its name; None for every name as it is.
    """
    heading = (headings or {}).get
    config = st.column_config
    price_format = f"%.{price_decimals(rows['price'])}f"
    # The message takes the room that is left.
    return {
        "Open": config.LinkColumn(display_text="open", width=50),
        "Time (UTC)": config.TextColumn(heading("Time (UTC)"), width=175),
        exchange().city: config.TextColumn(width=80),
        "Symbol": config.TextColumn(heading("Symbol"), width=80),
        "Price": config.NumberColumn(heading("Price"), format=price_format, width=90),
        "Size": config.NumberColumn(heading("Size"), format=size_format(rows["size"]), width=85),
        # A cell of this kind shows as a coloured chip.
        "Severity": config.MultiselectColumn(
            heading("Severity"),
            options=[str(severity) for severity in SEVERITY_COLORS],
            color=list(SEVERITY_COLORS.values()),
            width=90,
        ),
        "Score": config.NumberColumn(heading("Score"), format="%.3f", width=70),
        "Message": config.TextColumn(),
        "Labels": config.ListColumn(width=270),
        "Verdict": config.TextColumn(width=90),
        "Venue": config.TextColumn(width=150, help="What the venue said of this trade afterwards (UTC)"),
    }


def _chosen_rows(key: str) -> list[int]:
    """Return the numbers of the rows that are chosen in a table, one at most."""
    return list(st.session_state[key]["selection"]["rows"]) if key in st.session_state else []


def to_judged_table(
    rows: pd.DataFrame, verdicts: Mapping[str, Verdict], corrections: Mapping[str, VenueCorrection]
) -> pd.DataFrame:
    """Lay anomalies out as `to_table` does, with a link to each, its verdict and what the venue said of it.

    Parameters
    ----------
    rows
        As in `AnomalySummary.rows`.
    verdicts, corrections
        By `trade_id`. Where no row has a correction, there is no column for it.
    """
    table = to_table(rows)
    table.insert(0, "Open", rows["trade_id"].map(page_url))
    judged = (verdicts.get(trade_id) for trade_id in rows["trade_id"])
    texts = ["" if verdict is None else verdict.verdict for verdict in judged]
    table.insert(list(table).index("Message"), "Verdict", texts)
    said = [corrections[one].short if one in corrections else "" for one in rows["trade_id"]]
    if any(said):
        table.insert(list(table).index("Message"), "Venue", said)
    return table


def to_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Lay anomalies out under the headings that a person sees, in the same order.

    Parameters
    ----------
    rows
        As in `AnomalySummary.rows`.
    """
    local = {} if exchange().is_utc else {exchange().city: exchange().local(rows["time"])}
    return pd.DataFrame(
        {
            "Time (UTC)": format_times(rows["time"]),
            **{city: times.dt.strftime("%H:%M:%S") for city, times in local.items()},
            "Symbol": rows["symbol"],
            "Price": rows["price"],
            "Size": rows["size"],
            "Severity": rows["severity"].map(lambda severity: [severity]),
            "Score": rows["score"],
            "Message": rows["message"],
            "Labels": rows["labels"],
        }
    )


def page_url(trade_id: str) -> str:
    """Return the address of an anomaly's page, relative to any page of the dashboard."""
    return f"anomaly?id={quote(trade_id, safe='')}"


def price_decimals(prices: pd.Series) -> int:
    """Return how many decimals show every price in full: 2, 4, or up to 9 where a price has more."""
    return next((digits for digits in (2, 4, 5, 6, 7, 8) if _are_whole(prices, digits)), 9)


def size_format(sizes: pd.Series) -> str:
    """Return the format of a column that shows every size in full, with 9 decimals at most."""
    digits = next((digits for digits in range(9) if _are_whole(sizes, digits)), 9)
    return f"%.{digits}f" if digits else "localized"


def _are_whole(values: pd.Series, digits: int) -> bool:
    """Whether no value has more decimals than so many."""
    return bool(((values - values.round(digits)).abs() < 1e-10).all())
