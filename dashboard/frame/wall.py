"""A page for a wall screen: `?wall` in its address hides what is to be clicked, and enlarges the rest."""

import streamlit as st

from dashboard.settings import DashboardSettings
from dashboard.ui import url_state

_SHOWN = "wall-shown"

REFRESH_THEMSELVES = ("", "health")
"""Paths of pages that do so. A run of the whole page would end theirs: what is not shown yet would blink."""

STYLE = """<style>
/* Not by zooming: tables measure their width, and would be wider than the page. */
html { font-size: 135% !important }
.stApp, .stApp * { cursor: none !important }
.stSelectbox, .stMultiSelect, .stSlider, .stCheckbox, .stButtonGroup, .stButton, .stLinkButton,
.stDownloadButton, .stTextInput, .stTextArea, .stDateInput, .stTimeInput, .stDateTimeInput, .stForm,
.stExpander, .stPageLink, .stPopover:not(.st-key-frame-clock *), [data-testid="stElementToolbar"],
.st-key-frame-narrow, .st-key-frame-wide { display: none !important }
.tw-list { pointer-events: none }
.tw-list .tw-tick, .tw-list .tw-open { display: none !important }
.st-key-frame-clock .stPopover { display: block !important; pointer-events: none }
</style>"""


def show_wall(path: str) -> None:
    """Show the page with this path as on a wall, and again every few seconds, as nobody clicks there."""
    st.html(STYLE)
    if path in REFRESH_THEMSELVES:
        return
    st.session_state[_SHOWN] = False
    st.fragment(_show_again, run_every=DashboardSettings().refresh_s)()


def _show_again() -> None:
    if st.session_state[_SHOWN]:
        # The view is the same: it is not to be read from the address again.
        url_state.note_control()
        st.rerun()
    st.session_state[_SHOWN] = True
