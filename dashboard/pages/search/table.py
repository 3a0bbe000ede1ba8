"""The table of the search page: the server sorts it, at a click on a heading."""

from collections.abc import Callable, Mapping

import pandas as pd
import streamlit as st

from dashboard.pages.search.queries import Order, SortBy
from dashboard.ui.anomaly_table import column_config, to_judged_table
from dashboard.ui.exchange import exchange
from services.review.corrections import VenueCorrection
from services.review.verdicts import Verdict

HEIGHT = 640
_LOW_ROWS = 16
"""A table of at most this many rows is lower than `HEIGHT`."""


def sorted_by() -> dict[str, SortBy]:
    """Return by column what a click on its heading sorts by."""
    return {
        "Time (UTC)": SortBy.TIME,
        exchange().city: SortBy.TIME,
        "Symbol": SortBy.SYMBOL,
        "Price": SortBy.PRICE,
        "Size": SortBy.SIZE,
        "Severity": SortBy.SEVERITY,
        "Score": SortBy.SCORE,
    }


def show_search_table(
    rows: pd.DataFrame,
    judged: Mapping[str, Verdict],
    corrections: Mapping[str, VenueCorrection],
    order: Order,
    on_sort: Callable[[SortBy], None],
) -> None:
    """Show a page of anomalies with the verdicts on them, and what venues said of them.

    Parameters
    ----------
    rows
        As `to_anomaly_rows` lays them out.
    judged, corrections
        By `trade_id`.
    order
        In which the rows are: its column's heading has an arrow.
    on_sort
        Called with the column that a person wants to sort by.
    """
    by_column = sorted_by()

    def sort() -> None:
        columns = st.session_state[key]["selection"]["columns"]
        if columns and columns[0] in by_column:
            on_sort(by_column[columns[0]])

    # A column that was chosen stays so, and could not be clicked again: each order has a table of its own.
    key = f"search-table-{order.by}-{order.is_descending}"
    arrow = "↓" if order.is_descending else "↑"
    headings = {name: f"{name} {arrow}" for name, by in by_column.items() if by is order.by}
    st.dataframe(
        to_judged_table(rows, judged, corrections),
        key=key,
        # The table's own sorting, which would be of this page alone, is off where columns can be selected.
        on_select=sort,
        selection_mode="single-column",
        width="stretch",
        height="content" if len(rows) <= _LOW_ROWS else HEIGHT,
        hide_index=True,
        column_config=column_config(rows, headings),
    )
