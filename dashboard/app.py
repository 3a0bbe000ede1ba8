"""The dashboard: its pages, the navigation between them, and the client that they share."""

from collections.abc import Callable
from importlib import import_module

import streamlit as st

from dashboard.server.elastic import open_client
from dashboard.ui import url_state
from dashboard.ui.error_boundary import error_boundary
from services.common.config.settings import Settings
from services.common.elastic.client import Elasticsearch

STYLE = """<style>
/* The space on top is for a bar that is switched off. */
.stMainBlockContainer { padding-top: 1rem; padding-bottom: 2rem }
/* Exists only so that its code is fetched. */
.st-key-overview-awaited { display: none }
/* While a page refreshes, what it shows is not old: nothing fades. */
[data-stale="true"] { opacity: 1 !important; transition: none !important }
@media (max-width: 640px) {
  .stMainBlockContainer { padding-left: 0.75rem; padding-right: 0.75rem }
  .stMetric [data-testid="stMetricValue"] { font-size: 1.3rem }
}
</style>"""


@st.cache_resource
def connect(url: str) -> Elasticsearch:
    """Return the client that all visitors share."""
    return open_client(url)


def page(view: str) -> Callable[[], None]:
    """Return a function that shows the page of this name; other pages' modules are not imported for it."""

    def show_page() -> None:
        warning_place = st.container()
        with error_boundary():
            client = connect(Settings().elasticsearch)
            import_module(f"dashboard.pages.{view}.page").show(client)
        if unread := url_state.take_unread():
            warning_place.warning(
                f"Ignored invalid URL parameters: {', '.join(unread)}.", icon=":material/link_off:"
            )

    return show_page


def main() -> None:
    """Show the page that the address names."""
    st.set_page_config(page_title="Tapewatch", page_icon="📈", layout="wide")
    st.html(STYLE)
    pages = [
        st.Page(page("overview"), title="Overview", icon=":material/show_chart:", default=True),
        st.Page(page("search"), title="Search", icon=":material/search:", url_path="search"),
        st.Page(page("tuning"), title="Tuning", icon=":material/tune:", url_path="tuning"),
        st.Page(page("pipeline"), title="Pipeline", icon=":material/monitor_heart:", url_path="health"),
    ]
    anomaly = st.Page(page("anomaly"), title="Anomaly", url_path="anomaly")
    chosen = st.navigation([*pages, anomaly], position="hidden")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.subheader("Tapewatch", anchor=False, width="content")
        for each in pages:
            st.page_link(each, width="content")
    chosen.run()


main()
