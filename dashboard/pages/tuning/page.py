"""The tuning page: what each threshold would flag on a symbol's day, and the configuration to copy."""

import datetime as dt
from importlib import import_module
from pathlib import Path

import streamlit as st

from dashboard.pages.tuning.state import choose, forget
from dashboard.server.sessions import find_sessions, find_set_aside, summarize_period
from dashboard.ui.folded import folded
from dashboard.ui.markdown import show_text
from dashboard.ui.set_aside import tell_set_aside
from dashboard.ui.time_ranges import Period
from dashboard.ui.url_state import was_changed
from services.common.elastic.client import Elasticsearch
from services.detector.offline.tuning.evidence.document import evidence_folders


def show(client: Elasticsearch) -> None:
    """Show the choices, and what they lead to."""
    if was_changed():
        forget()
    if samples := evidence_folders(Path.cwd()):
        chosen = choose("Samples", "samples", ["", *samples], "", _samples_title)
        if chosen:
            with st.spinner("Loading the detectors …"):
                review = import_module("dashboard.pages.tuning.review")
            review.show_review(client, chosen)
            return
    sessions = find_sessions(client)
    if not sessions:
        st.info("There are no trades in Elasticsearch yet.", icon=":material/hourglass_empty:")
        show_text("Start the pipeline with `make demo`; a day can be tuned once its trades are indexed.")
        return
    aside = find_set_aside(client)
    days = [str(day) for day in (*sessions, *(one.day for one in aside))]
    with folded("tuning") as fold, st.container(horizontal=True, gap="medium"):
        symbol_place = st.container(width=200)
        date = dt.date.fromisoformat(choose("Session", "day", days, days[0], _day_title))
        period = Period(date, date)
        summary = summarize_period(client, period.time_range)
        if summary is None:
            st.info("This session no longer has any trades. Choose another one.")
            return
        with symbol_place:
            symbol = choose("Symbol", "symbol", summary.symbols, summary.most_anomalous, width=200)
        profile_place = st.container(width=220)
    tell_set_aside(aside)
    # Not before it is needed: the detectors take seconds to load, once for a server.
    with st.spinner("Loading the detectors …"):
        day = import_module("dashboard.pages.tuning.day")
    with profile_place:
        source = day.choose_profile()
    fold.say([symbol, period.title, source])
    st.caption(
        "Profiles are the built-in ones and the YAML files in the folder where the dashboard was started."
    )
    day.show_day(client, symbol, period, source)


def _samples_title(name: str) -> str:
    return f"Review {name}" if name else "None: choose thresholds"


def _day_title(day: str) -> str:
    date = dt.date.fromisoformat(day)
    return Period(date, date).title
