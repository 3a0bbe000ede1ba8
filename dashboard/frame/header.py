"""The header of every page: its name, the way to the other pages, the clock, and what is chosen for all."""

from collections.abc import Mapping, Sequence

import streamlit as st
from streamlit.navigation.page import StreamlitPage

from dashboard.frame.clock import show_clock
from dashboard.frame.notifications import choose_notifications
from dashboard.frame.page_help import show_help
from dashboard.frame.views import show_views
from dashboard.ui import zone
from dashboard.ui.home import SYMBOL, is_symbol_shown
from dashboard.ui.keys.keys import show_keys
from dashboard.ui.wall_screen import is_wall
from dashboard.ui.who import show_sign_in


def show_header(
    everywhere: Sequence[StreamlitPage],
    pages: Sequence[StreamlitPage],
    here: StreamlitPage,
    counts: Mapping[str, int],
) -> None:
    """Show the header.

    Parameters
    ----------
    everywhere
        All pages of the dashboard.
    pages
        Those that have a link.
    here
        The one that is shown.
    counts
        A number beside a page's name, by its title.
    """
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="frame-header"):
        st.subheader("Tapewatch", anchor=False, width="content")
        with st.container(horizontal=True, vertical_alignment="center", gap="small", key="frame-wide"):
            _links(pages, here, counts)
        # In a narrow window instead of them.
        with (
            st.container(key="frame-narrow", width="content"),
            st.popover(here.title, icon=":material/menu:", type="tertiary", key="frame-pages"),
        ):
            _links(pages, here, counts)
        with st.container(
            horizontal=True, vertical_alignment="center", gap="small", width="content", key="frame-right"
        ):
            show_clock()
            show_views(everywhere, here)
            with st.popover(
                "", icon=":material/settings:", type="tertiary", help="Settings", key="frame-menu"
            ):
                zone.choose()
                choose_notifications()
            name = SYMBOL if here.url_path == "" and is_symbol_shown() else here.url_path
            show_help(name)
            if not is_wall():
                show_keys(name)
            show_sign_in()


def _links(pages: Sequence[StreamlitPage], here: StreamlitPage, counts: Mapping[str, int]) -> None:
    for each in pages:
        count = counts.get(each.title)
        if each.url_path == here.url_path == "" and is_symbol_shown():
            # Streamlit's own link to the page that is shown would keep the symbol in its address.
            icon = each.icon.removeprefix(":material/").removesuffix(":")
            text = f'<span aria-hidden="true">{icon}</span>{each.title}'
            st.html(f'<a class="tw-page" href="./" target="_self">{text}</a>', width="content")
            continue
        st.page_link(each, label=f"{each.title} ({count:,})" if count else None, width="content")
