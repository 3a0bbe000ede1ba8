"""What stands beside a list of anomalies: a verdict for those that are ticked, and the chosen one."""

from collections.abc import Mapping

import pandas as pd
import streamlit as st

from dashboard.ui.anomaly_panel import show_panel
from dashboard.ui.bulk_verdicts import show_bulk
from dashboard.ui.row_list.row_list import ticked
from dashboard.ui.who import ask_who
from services.common.elastic.client import Elasticsearch
from services.review.verdicts import Verdict

LIST_HEIGHT = 600


def show_beside(
    client: Elasticsearch,
    list_key: str,
    rows: pd.DataFrame,
    verdicts: Mapping[str, Verdict],
    chosen: str | None,
    reference: str,
    height: int = LIST_HEIGHT,
) -> None:
    """Show it, scrolling by itself.

    Parameters
    ----------
    client
        Elasticsearch client.
    list_key
        Key of the list.
    rows, verdicts
        What the list shows.
    chosen
        Id of its chosen row, which may be on none of its pages; None for none.
    reference
        The search that the list is from, as `search_address.to_reference` writes it.
    height
        In pixels, while something is chosen or ticked.
    """
    if chosen is None and not ticked(list_key):
        with st.container(border=True, key=f"{list_key}-beside"):
            st.caption(
                "Click a row, or press J, to see here why it was flagged and to give a verdict. "
                "Tick rows to give one verdict for all of them."
            )
            show_bulk(client, list_key, rows, verdicts, None)
        return
    # The inner container: in one of a fixed height, Streamlit squeezes what is high.
    with st.container(height=height, border=True, key=f"{list_key}-beside"), st.container():
        person = ask_who(f"{list_key}-who")
        has_ticked = show_bulk(client, list_key, rows, verdicts, person)
        if chosen is not None:
            show_panel(client, chosen, reference, person, has_keys=not has_ticked)
