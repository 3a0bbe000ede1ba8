"""A page of the search's result: the list, and beside it what is ticked and chosen."""

import pandas as pd
import streamlit as st

from dashboard.pages.search import controls
from dashboard.server.anomaly_search import Filters, Order, SortBy
from dashboard.ui import anomaly_table
from dashboard.ui.anomaly_table import show_anomaly_table
from dashboard.ui.beside import LIST_HEIGHT, show_beside
from dashboard.ui.search_address import to_reference
from services.common.elastic.client import Elasticsearch
from services.review.corrections import corrections_of
from services.review.verdicts import verdicts_of

LIST = "search-list"

SORTED_BY = {
    anomaly_table.TIME: SortBy.TIME,
    anomaly_table.SYMBOL: SortBy.SYMBOL,
    anomaly_table.PRICE: SortBy.PRICE,
    anomaly_table.SIZE: SortBy.SIZE,
    anomaly_table.SEVERITY: SortBy.SEVERITY,
    anomaly_table.SCORE: SortBy.SCORE,
}
"""By column what a click on its heading sorts by."""


def show_results(client: Elasticsearch, rows: pd.DataFrame, filters: Filters, order: Order) -> None:
    """Show a page of anomalies, and let verdicts be given."""
    ids = rows["trade_id"].tolist()
    judged, corrections = verdicts_of(client, ids), corrections_of(client, ids)
    reference = to_reference(filters, order)
    arrow = "↓" if order.is_descending else "↑"
    list_place, beside = st.columns([8, 5], gap="small")
    with list_place:
        show_anomaly_table(
            rows,
            judged,
            corrections,
            LIST,
            controls.chosen(),
            controls.choose,
            reference,
            LIST_HEIGHT,
            can_tick=True,
            sorts=SORTED_BY,
            arrows={name: arrow for name, by in SORTED_BY.items() if by is order.by},
            on_sort=lambda column: controls.sort_by(SORTED_BY[column]),
        )
        st.caption("Click a heading to sort all results, not only this page. Press ? for the keys.")
    with beside:
        show_beside(client, LIST, rows, judged, controls.chosen(), reference)
