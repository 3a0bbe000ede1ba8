"""The dashboard: its pages, the navigation between them, and the client that they share."""

from collections.abc import Callable
from contextlib import suppress
from importlib import import_module

import streamlit as st

from dashboard.frame import views, wall
from dashboard.frame.header import show_header
from dashboard.frame.notifications import show_notifications
from dashboard.frame.style import STYLE
from dashboard.server.alerts import count_open
from dashboard.server.elastic import open_client
from dashboard.ui import url_state, zone
from dashboard.ui.error_boundary import error_boundary
from dashboard.ui.home import SYMBOL, is_symbol_shown
from dashboard.ui.outage import show_again_on_return
from dashboard.ui.page_title import PRODUCT, set_title
from dashboard.ui.unknown_page import show_unknown_page, unknown_page
from dashboard.ui.wall_screen import is_wall
from services.common.config.settings import Settings
from services.common.elastic.client import Elasticsearch
from services.common.errors import TapewatchError

# Comments, not docstrings: Streamlit shows a text that stands alone in its main script.
COUNTED_FOR_S = 5.0  # how long a number of open alerts is shown
COUNT_TIMEOUT_S = 5.0


@st.cache_resource
def connect(url: str) -> Elasticsearch:
    """Return the client that all visitors share."""
    return open_client(url)


def page(view: str) -> Callable[[], None]:
    """Return a function that shows the page of this name; other pages' modules are not imported for it."""

    def show_page() -> None:
        warning_place = st.container()
        with error_boundary() as noted:
            client = connect(Settings().elasticsearch)
            import_module(f"dashboard.pages.{view}.page").show(client)
        if noted.is_away:
            show_again_on_return(client)
        if unread := url_state.take_unread():
            warning_place.warning(
                f"Ignored invalid URL parameters: {', '.join(unread)}.", icon=":material/link_off:"
            )

    return show_page


def show_home() -> None:
    """Show the page of the symbol that the address names, or else that of all symbols."""
    page(SYMBOL if is_symbol_shown() else "overview")()


@st.cache_data(ttl=COUNTED_FOR_S, show_spinner=False)
def counted_open(url: str) -> int:
    """Return how many alerts were open a moment ago."""
    return count_open(connect(url).options(request_timeout=COUNT_TIMEOUT_S))


def open_alerts(url: str) -> int | None:
    """Return how many alerts are open; None if that cannot be told now."""
    try:
        return counted_open(url)
    except TapewatchError:  # the page itself says why
        return None


def main() -> None:
    """Show the page that the address names."""
    st.set_page_config(page_title=PRODUCT, page_icon="📈", layout="wide")
    st.html(STYLE)
    zone.load()
    alerts = st.Page(page("alerts"), title="Alerts", icon=":material/notifications:", url_path="alerts")
    pages = [
        st.Page(show_home, title="Overview", icon=":material/show_chart:", default=True),
        alerts,
        st.Page(page("search"), title="Search", icon=":material/search:", url_path="search"),
        st.Page(page("tuning"), title="Tuning", icon=":material/tune:", url_path="tuning"),
        st.Page(page("pipeline"), title="Pipeline", icon=":material/monitor_heart:", url_path="health"),
    ]
    anomaly = st.Page(page("anomaly"), title="Anomaly", url_path="anomaly")
    chosen = st.navigation([*pages, anomaly], position="hidden")
    set_title(chosen.title)
    count = open_alerts(Settings().elasticsearch)
    everywhere = [*pages, anomaly]
    views.open_named(everywhere)
    if is_wall():
        wall.show_wall(chosen.url_path)
    show_header(everywhere, pages, chosen, {alerts.title: count} if count else {})
    if unknown := unknown_page(["", *(each.url_path for each in everywhere)]):
        show_unknown_page(unknown)
    else:
        chosen.run()
    with st.container(key="frame-notifications"), suppress(TapewatchError):  # the page itself says why
        show_notifications(connect(Settings().elasticsearch))
    with st.container(key="frame-unseen"):
        zone.save()


main()
