"""What a page says where there is no trade that it could show."""

import streamlit as st

from dashboard.ui.markdown import show_text
from dashboard.ui.time_ranges import Period, Rolling


def tell_no_trades() -> None:
    """Say that no trades are indexed, and how to get some."""
    st.info("There are no trades in Elasticsearch yet.", icon=":material/hourglass_empty:")
    show_text(
        "Start the pipeline with `make demo`, or run `tapewatch setup`, `produce`, `detect` and `index`."
    )


def tell_no_trades_in(period: Period | Rolling) -> None:
    """Say that there are none in what was chosen."""
    if isinstance(period, Rolling):
        st.info(f"No trades in the {period.title.lower()}. Choose a session.")
    else:
        st.info("This session no longer has any trades. Choose another one.")
