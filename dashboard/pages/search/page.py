"""The search page: filters, a list that the server sorts and pages, and the result as a file."""

import streamlit as st

from dashboard.pages.search import controls
from dashboard.pages.search.downloads import show_exports, show_labels_export
from dashboard.pages.search.results import show_results
from dashboard.server.anomaly_search import (
    PAGE_ROWS,
    Filters,
    Place,
    ResultPage,
    Side,
    find_page,
    find_symbols,
)
from dashboard.ui.markdown import show_text
from services.common.elastic.client import Elasticsearch


def show(client: Elasticsearch) -> None:
    """Show the filters and what they find."""
    symbols = find_symbols(client)
    if not symbols:
        st.info("There are no anomalies in Elasticsearch yet.", icon=":material/hourglass_empty:")
        show_text("Start the pipeline with `make demo`, or run `tapewatch detect` and `tapewatch index`.")
        return
    filters, order = controls.choose_search(symbols)
    controls.write_to_address(filters, order)
    if filters.start and filters.end and filters.start >= filters.end:
        st.warning("The end must be later than the start. Change one of the two.")
        return
    page = find_page(client, filters, order, controls.place(), PAGE_ROWS)
    if page is None:
        st.info("The anomaly that this page starts from no longer exists. Showing the first page.")
        controls.to_first_page()
        page = find_page(client, filters, order, Place(), PAGE_ROWS)
    if page is None or not page.total:
        show_nothing_found(filters, symbols)
    else:
        show_pager(page)
        show_results(client, page.rows, filters, order)
        # In a container: what comes and goes in it must not move, and so close, the part below.
        with st.container():
            show_exports(client, filters, order, page.total)
    show_labels_export(client)


def show_nothing_found(filters: Filters, symbols: list[str]) -> None:
    """Say that there is nothing, and what to do."""
    st.info("No anomaly matches all of these filters. Remove one to see more.", icon=":material/search_off:")
    if unknown := [symbol for symbol in filters.symbols if symbol not in symbols]:
        st.text(f"No anomaly of {', '.join(unknown)} is indexed: check the symbol.")


def show_pager(page: ResultPage) -> None:
    """Say which rows are shown, and let others be."""
    shown = len(page.rows)
    first, last = page.skipped + 1, page.skipped + shown
    ids = page.rows["trade_id"]
    has_before, has_after = page.skipped > 0 and shown > 0, last < page.total
    with st.container(horizontal=True, vertical_alignment="center"):
        text = (
            f"{first:,} to {last:,} of {page.total:,} anomalies" if shown else "There are no more anomalies"
        )
        st.markdown(f"**{text}**", width="content")
        _page_button("First", "first_page", Place(), bool(has_before or not shown))
        before = Place(Side.BEFORE, ids.iloc[0]) if has_before else Place()
        _page_button("Previous", "chevron_left", before, has_before)
        after = Place(Side.AFTER, ids.iloc[-1]) if has_after and shown else Place()
        _page_button("Next", "chevron_right", after, has_after and shown > 0)
        _page_button("Last", "last_page", Place(Side.LAST), has_after)


def _page_button(name: str, icon: str, place: Place, is_possible: bool) -> None:
    st.button(
        name,
        icon=f":material/{icon}:",
        disabled=not is_possible,
        on_click=controls.go_to_page,
        args=(place,),
        type="tertiary",
    )
