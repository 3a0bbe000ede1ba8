"""The tuning page: what each threshold would flag on a symbol's day, and the configuration to copy."""

import datetime as dt
from importlib import import_module

import streamlit as st

from dashboard.pages.tuning.state import choose, forget
from dashboard.server.sessions import find_sessions, summarize_period
from dashboard.ui.time_ranges import Period
from dashboard.ui.url_state import was_changed
from services.common.elastic.client import Elasticsearch


def show(client: Elasticsearch) -> None:
    """Show the choices, and what they lead to."""
    if was_changed():
        forget()
    sessions = find_sessions(client)
    if not sessions:
        st.info("There are no trades in Elasticsearch yet.", icon=":material/hourglass_empty:")
        st.text("Start the pipeline with `make demo`; a day can be tuned once its trades are indexed.")
        return
    with st.container(horizontal=True, gap="medium"):
        symbol_place = st.container(width=200)
        date = dt.date.fromisoformat(
            choose("Session", "day", [str(day) for day in sessions], str(sessions[0]), _day_title)
        )
        period = Period(date, date)
        summary = summarize_period(client, period.time_range)
        if summary is None:
            st.info("This session no longer has any trades. Choose another one.")
            return
        with symbol_place:
            symbol = choose("Symbol", "symbol", summary.symbols, summary.most_anomalous, width=200)
        profile_place = st.container(width=220)
    # Not before it is needed: the detectors take seconds to load, once for a server.
    with st.spinner("Loading the detectors …"):
        day = import_module("dashboard.pages.tuning.day")
    with profile_place:
        source = day.choose_profile()
    st.caption(
        "Profiles are the built-in ones and the YAML files in the folder where the dashboard was started."
    )
    day.show_day(client, symbol, period, source)


def _day_title(day: str) -> str:
    date = dt.date.fromisoformat(day)
    return Period(date, date).title
