"""What a page says while there is no trade that it could show."""

import streamlit as st

from dashboard.ui.markdown import show_text


def tell_no_trades() -> None:
    """Say that no trades are indexed, and how to get some."""
    st.info("There are no trades in Elasticsearch yet.", icon=":material/hourglass_empty:")
    show_text(
        "Start the pipeline with `make demo`, or run `tapewatch setup`, `produce`, `detect` and `index`."
    )
