"""One anomaly of a list, beside it: why it was flagged, its verdict, and the trades around it."""

import streamlit as st

from dashboard.server.one_anomaly import find_anomaly
from dashboard.ui.anomaly_details import detections_html, facts_html, sentence_html
from dashboard.ui.navigation import go_to
from dashboard.ui.trades_around import show_around
from dashboard.ui.verdict_form import show_verdict
from services.common.elastic.client import Elasticsearch
from services.review.corrections import corrections_of
from services.review.history import Person


def show_panel(
    client: Elasticsearch, trade_id: str, reference: str, person: Person | None, has_keys: bool
) -> None:
    """Show the anomaly with this id.

    Parameters
    ----------
    client
        Elasticsearch client.
    trade_id
        The anomaly.
    reference
        The search that the list is from, as `search_address.to_reference` writes it.
    person
        Who records a verdict.
    has_keys
        Whether keys record a verdict.
    """
    anomaly = find_anomaly(client, trade_id)
    if anomaly is None:
        st.text("This anomaly is no longer indexed.")
        return
    st.html(sentence_html(anomaly, corrections_of(client, [trade_id]).get(trade_id)))
    show_verdict(client, anomaly, person, has_keys)
    st.html(detections_html(anomaly))
    show_around(client, anomaly, has_tables=False)
    st.html(facts_html(anomaly))
    if st.button("Open its page", icon=":material/open_in_full:", key="panel-open"):
        go_to("anomaly", id=trade_id, list=reference)
