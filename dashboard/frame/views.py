"""Named views: a page's address under a name, for a desk; saved and opened from the header of every page."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import parse_qsl, urlencode

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from dashboard.server.elastic import open_client
from dashboard.ui.error_boundary import error_boundary
from dashboard.ui.markdown import as_markdown, show_text
from dashboard.ui.times import format_time
from dashboard.ui.who import ask_who, needed
from services.common.config.settings import Settings
from services.common.elastic.client import Elasticsearch
from services.common.errors import TapewatchError
from services.review.views import (
    MAX_NAME,
    View,
    delete_view,
    find_view,
    list_views,
    save_view,
)

PARAMETER = "view"
_SEEN = "views-seen"


@st.cache_resource
def connect(url: str) -> Elasticsearch:
    """Return the client for views: what is saved must be seen at once."""
    return open_client(url)


def open_named(pages: Sequence[StreamlitPage]) -> None:
    """Go to the view that the address names, if it names one; otherwise do nothing.

    Parameters
    ----------
    pages
        All pages of the dashboard.
    """
    name = st.query_params.get(PARAMETER)
    if name is None:
        return
    del st.query_params[PARAMETER]
    with error_boundary():
        view = find_view(connect(Settings().elasticsearch), name)
        page = next((one for one in pages if view is not None and one.url_path == view.page), None)
        if view is None or view.is_deleted or page is None:
            st.info("There is no view of this name.", icon=":material/bookmark:")
            st.text(name)
            return
        go_to(view, page)


def go_to(view: View, page: StreamlitPage) -> None:
    """Show a page as a view has it."""
    st.switch_page(page, query_params=parse_qsl(view.query))


def show_views(pages: Sequence[StreamlitPage], here: StreamlitPage) -> None:
    """Show the menu of views.

    Parameters
    ----------
    pages
        All pages of the dashboard.
    here
        The one that is shown.
    """
    menu = st.popover(
        "",
        icon=":material/bookmarks:",
        type="tertiary",
        help="Named views",
        key="frame-views",
        on_change="rerun",
    )
    if menu.open:
        with menu, error_boundary():
            _show_menu(connect(Settings().elasticsearch), pages, here)


def _show_menu(client: Elasticsearch, pages: Sequence[StreamlitPage], here: StreamlitPage) -> None:
    # What the person at the screen saw when they clicked, not what is there now.
    seen: dict[str, View] = st.session_state.get(_SEEN, {})
    by_path = {one.url_path: one for one in pages}
    person = ask_who("views-who")
    name = st.text_input("Name of this view", max_chars=MAX_NAME, key="views-name").strip()
    is_taken = name in seen and not seen[name].is_deleted
    if st.button("Replace this view" if is_taken else "Save this view", type="primary", key="views-save"):
        with _told():
            saved = save_view(client, name, here.url_path, _query(), needed(person), seen.get(name))
            st.session_state[_SEEN] = seen | {saved.name: saved}
            st.rerun()
    found = list_views(client)
    st.session_state[_SEEN] = {view.name: view for view in found}
    views = [view for view in found if not view.is_deleted]
    if not views:
        st.text("No view is saved yet. A view is a page with its filters, under a name.")
    for number, view in enumerate(views):
        page = by_path.get(view.page)
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            with st.container(width="stretch", gap=None):
                st.text(view.name)
                at = format_time(view.recorded_at, "%Y-%m-%d %H:%M")
                st.caption(as_markdown(f"{page.title if page else view.page}, {view.recorded_by}, {at}"))
            if st.button("Open", key=f"views-open-{number}", disabled=page is None) and page:
                go_to(view, page)
            if st.button("Delete", key=f"views-delete-{number}", type="tertiary"):
                with _told():
                    delete_view(client, seen.get(view.name, view), needed(person))
                    st.rerun()


@contextmanager
def _told() -> Iterator[None]:
    """Say why a step was not recorded."""
    try:
        yield
    except TapewatchError as error:
        st.warning("Not recorded.", icon=":material/group:")
        show_text(f"{error.cause} {error.hint}")


def _query() -> str:
    return urlencode([(name, value) for name, value in st.query_params.items() if name != PARAMETER])
