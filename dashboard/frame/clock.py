"""The clock in the header of every page; it refreshes by itself."""

import datetime as dt
from html import escape

import streamlit as st

from dashboard.frame.arrivals import Arrival, Arrivals
from dashboard.frame.tape_clock import AWAY, Tone, details, tape_clock
from dashboard.server.tape_end import TapeEnd, find_tape_end
from dashboard.settings import DashboardSettings
from dashboard.ui.markdown import show_text
from services.common.config.settings import Settings
from services.common.elastic.client import Elasticsearch, new_client
from services.common.errors import TapewatchError

KEPT_S = 1.0
"""For so long all visitors get one answer."""
TIMEOUT_S = 5.0

_FORMS = {
    Tone.CALM: ":material/schedule: {}",
    Tone.LATE: ":orange[:material/warning: {}]",
    Tone.AWAY: ":red[:material/cloud_off: {}]",
}


@st.cache_resource
def arrivals() -> Arrivals:
    """Return the record of arrivals, which all visitors share."""
    return Arrivals()


@st.cache_resource
def connect(url: str) -> Elasticsearch:
    """Return a client of the clock's own: it must not be given an earlier answer."""
    return new_client(url, connections=1).options(request_timeout=TIMEOUT_S)


@st.cache_resource(ttl=KEPT_S, show_spinner=False)
def look(url: str) -> tuple[TapeEnd, Arrival, dt.datetime] | TapewatchError:
    """Return where the tape ended a moment ago, when trades last arrived, and when that was; or why not."""
    now = dt.datetime.now(dt.UTC)
    try:
        end = find_tape_end(connect(url), now)
    except TapewatchError as error:
        return error
    return end, arrivals().note(end.trades, now), now


def show_clock() -> None:
    """Show the clock, and how new the data is behind it; refreshed as often as pages are."""
    st.fragment(_show, run_every=DashboardSettings().refresh_s)()


def _show() -> None:
    seen = look(Settings().elasticsearch)
    clock = AWAY if isinstance(seen, TapewatchError) else tape_clock(*seen)
    # With a key it is the same one whatever it says: one that is open stays so.
    with st.popover(_FORMS[clock.tone].format(clock.text), type="tertiary", key="frame-clock"):
        if isinstance(seen, TapewatchError):
            show_text(seen.cause)
            show_text(seen.hint)
        else:
            st.html(_rows_html(details(*seen)))


def _rows_html(rows: list[tuple[str, str]]) -> str:
    shown = "".join(
        f'<tr><td style="padding:0.1rem 1rem 0.1rem 0;opacity:0.75">{escape(name)}</td>'
        f'<td style="font-variant-numeric:tabular-nums">{escape(text)}</td></tr>'
        for name, text in rows
    )
    return f"<table>{shown}</table>"
