"""The symbol page's list of anomalies, and below it the chosen one."""

import streamlit as st

from dashboard.pages.symbol import state as symbol_state
from dashboard.pages.symbol.controls import LISTED, ORDERS, choose_one
from dashboard.pages.symbol.marker_layers import Said
from dashboard.pages.symbol.queries import AnomalyList
from dashboard.pages.symbol.state import ALL_SYMBOLS, HIGHEST_FIRST, NEWEST_FIRST
from dashboard.server.anomaly_search import NO_CORRECTION, Filters, Order, SortBy
from dashboard.ui.anomaly_table import show_anomaly_table
from dashboard.ui.beside import show_beside
from dashboard.ui.time_ranges import TimeRange
from services.common.elastic.client import Elasticsearch
from services.review.corrections import Standing

LIST = "symbol-list"
_HEIGHT = 430
_SHARED_HEIGHT = 230
"""Of the list while an anomaly is shown below it."""
_BELOW_HEIGHT = 420


def show_list(
    client: Elasticsearch,
    listed: AnomalyList,
    said: Said,
    reference: str,
) -> None:
    """Show the list, and how many of all anomalies it holds.

    Parameters
    ----------
    client
        Elasticsearch client.
    listed
        What is listed.
    said
        What people and venues said of them.
    reference
        The same list as a search, as `to_reference` writes it.
    """
    view = symbol_state.current()
    shown = len(listed.rows)
    order = "newest" if view.order == NEWEST_FIRST else "highest-scoring"
    text = f"The {shown:,} {order} of {listed.passing:,} anomalies."
    if listed.passing == shown:
        text = f"{shown:,} anomalies." if shown > 1 else "1 anomaly."
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        choose_one("Listed", "listed", view.listed, LISTED)
        choose_one("Order", "order", view.order, ORDERS)
        if shown:
            st.caption(text, width="content")
    if shown:
        show_anomaly_table(
            listed.rows,
            said.verdicts,
            said.corrections,
            LIST,
            view.selected,
            lambda chosen: symbol_state.change(selected=chosen),
            reference,
            _HEIGHT if view.selected is None else _SHARED_HEIGHT,
            can_tick=True,
            marks_new=True,
        )
    elif view.labels or view.severities:
        st.info("No anomaly in this time range has these labels and severities. Remove a filter to see more.")
    else:
        st.info("No anomalies in this time range.")
    show_beside(client, LIST, listed.rows, said.verdicts, view.selected, reference, _BELOW_HEIGHT)


def search_of(symbol: str, time_range: TimeRange) -> tuple[Filters, Order]:
    """Return the search that finds what the list shows."""
    view = symbol_state.current()
    filters = Filters(
        () if view.listed == ALL_SYMBOLS else (symbol,),
        time_range.start,
        time_range.end,
        view.labels,
        view.severities,
        standings=() if view.cancelled else (Standing.CORRECTED, NO_CORRECTION),
    )
    return filters, Order(SortBy.SCORE if view.order == HIGHEST_FIRST else SortBy.TIME)
