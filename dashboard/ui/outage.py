"""What a page says while Elasticsearch does not answer, and how it comes back by itself."""

import datetime as dt

import streamlit as st

from dashboard.server.answers import noting
from dashboard.server.elastic import search
from dashboard.settings import DashboardSettings
from dashboard.ui.time_ranges import ago
from dashboard.ui.times import format_time
from services.common.elastic.client import Elasticsearch
from services.common.errors import TapewatchError
from services.contracts.indices import TRADES_INDICES


def tell_age(as_of: dt.datetime) -> None:
    """Say since when Elasticsearch has not answered: what is shown is from then."""
    now = dt.datetime.now(dt.UTC)
    form = "%H:%M:%S" if as_of.date() == now.date() else "%Y-%m-%d %H:%M:%S"
    st.warning(
        f"Elasticsearch has not answered since {format_time(as_of, form)} "
        f"({ago((now - as_of).total_seconds())} ago). What is shown is as of then; new data "
        "comes by itself when it answers again.",
        icon=":material/cloud_off:",
    )


def show_again_on_return(client: Elasticsearch) -> None:
    """Run the whole page again as soon as Elasticsearch answers; what was typed stays."""
    looks: list[None] = []

    @st.fragment(run_every=DashboardSettings().refresh_s)
    def look() -> None:
        # Not in the run that has just found it away: a page with one slow query would run without a pause.
        if looks and is_back(client):
            st.rerun()
        looks.append(None)

    look()


def is_back(client: Elasticsearch) -> bool:
    """Ask whether Elasticsearch answers."""
    with noting() as noted:
        try:
            search(client, TRADES_INDICES, size=0, terminate_after=1, track_total_hits=False)
        except TapewatchError:
            return not noted.is_away
    return not noted.is_away
