"""The sections of the overview, from the top down; they make no queries."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import Any

import streamlit as st

from dashboard.pages.overview import state as overview_state
from dashboard.pages.overview.heat_map import PICKED, describe, heat_map
from dashboard.pages.overview.incidents import MIN_SYMBOLS, Sighting, find_incidents
from dashboard.pages.overview.lines import alerts_html, anomalies_html, chips_html, incidents_html
from dashboard.pages.overview.links import symbol_address, symbol_url, zoomed
from dashboard.pages.overview.queries import MAX_COLUMNS, MAX_SIGHTINGS, Anomalies, Price, Ranking
from dashboard.pages.overview.state import View
from dashboard.pages.overview.symbol_list import cards_html, ranking_html
from dashboard.pages.overview.watched import Watched
from dashboard.server.alerts import Found
from dashboard.ui.address_times import whole_minutes
from dashboard.ui.time_ranges import TimeRange, bucket_width_s
from services.contracts.anomaly import Severity
from services.review.corrections import VenueCorrection

MAX_ALERTS = 5
MAX_INCIDENTS = 5
MAX_OTHERS = 20
"""Symbols without anomalies that are named when they are looked for."""

_ADDRESS = "overview-address"
_CLICKS = "overview-clicks"


@dataclass(frozen=True)
class Answers:
    """Elasticsearch's answers for a view."""

    anomalies: Anomalies
    sightings: list[Sighting]
    watched: list[Watched]
    alerts: Found
    """The open ones, `MAX_ALERTS` of them."""
    ranking: Ranking
    prices: dict[str, Price]
    """Of the ranked symbols."""
    corrections: dict[str, VenueCorrection]
    """Of the newest anomalies and of the worst, by `trade_id`."""


def take_address() -> dict[str, str] | None:
    """Return the query parameters of the page that a click leads to, once; None without a click."""
    address: dict[str, str] | None = st.session_state.pop(_ADDRESS, None)
    return address


def show_counts(anomalies: Anomalies) -> None:
    """Say how many anomalies are shown, of how many symbols, and what is left out."""
    view = overview_state.current()
    shown = {severity: anomalies.by_severity.get(severity, 0) for severity in view.shown}
    natural = anomalies.by_severity.get(Severity.INFO, 0)
    left_out = ""
    if natural and Severity.INFO not in view.shown:
        events = f"{natural:,} natural events, such as auction crosses, are"
        if natural == 1:
            events = "1 natural event, such as an auction cross, is"
        left_out = f'<div class="tw-faint">{events} left out: choose the severity info to see all.</div>'
    text = f"{_count(sum(shown.values()), 'anomaly', 'anomalies')} of "
    text += _count(anomalies.symbols, "symbol", "symbols")
    st.html(f'<div><b style="font-size:1.1rem">{text}</b>&emsp;{chips_html(shown)}{left_out}</div>')


def show_heat_map(answers: Answers, traded: Sequence[str], time_range: TimeRange, view: View) -> None:
    """Show the heat map, and in words what it shows.

    Parameters
    ----------
    answers
        Elasticsearch's.
    traded
        Symbols with trades in the period.
    time_range
        What is shown.
    view
        As `linked` returns it.
    """
    find = view.find
    anomalies, ranking = answers.anomalies, answers.ranking
    ranked = list(ranking.by_severity)
    if anomalies.cells.empty:
        st.info("No anomaly in this time range has these labels and severities.")
        st.text("Remove a filter, reset the zoom, or choose another session.")
    else:
        # A map of another time range, or of more lanes, is another one, in which nothing is picked. So is the
        # map after a click: the browser sends what was picked in one that it shows again.
        clicks = st.session_state.setdefault(_CLICKS, 0)
        shown = f"{time_range.start.timestamp():.0f}-{time_range.end.timestamp():.0f}-{len(ranked)}"
        key = f"overview-heat-{shown}-{clicks}"
        st.vega_lite_chart(
            spec=heat_map(anomalies.cells, ranking.cells, ranked, time_range),
            width="stretch",
            key=key,
            on_select=partial(_take_cell, key, time_range, view),
        )
        some = ""
        if not find and len(ranked) < anomalies.symbols:
            some = (
                f" These are the {len(ranked)} worst of {anomalies.symbols:,} symbols: find others by name."
            )
        st.caption(
            "Colour is the worst severity, height the number of anomalies. Click a cell to open its symbol "
            f"at that time, or one in the top lane to zoom in.{some}"
        )
        st.html(f'<div class="tw-faint">{escape(describe(anomalies.cells, ranking.by_severity))}</div>')
    if find:
        _show_others(view, ranked, traded)


def _take_cell(key: str, time_range: TimeRange, view: View) -> None:
    """Note where a click on a cell leads: to its symbol at that time, or to that time of all symbols."""
    picked = st.session_state[key]["selection"].get(PICKED)
    if not picked:
        return
    st.session_state[_CLICKS] += 1
    cell: dict[str, Any] = picked[0]
    start = dt.datetime.fromtimestamp(cell["start"] / 1000, dt.UTC)
    end = start + dt.timedelta(seconds=bucket_width_s(time_range, MAX_COLUMNS))
    stretch = whole_minutes(start, end)
    if cell["symbol"]:
        st.session_state[_ADDRESS] = symbol_address(view, cell["symbol"], stretch)
    else:
        closer = zoomed(overview_state.current(), stretch)
        overview_state.change(period=closer.period, time_range=closer.time_range)


def _show_others(view: View, ranked: Sequence[str], traded: Sequence[str]) -> None:
    """Show those symbols that were looked for and have trades, but no anomalies."""
    others = [one for one in traded if view.find.casefold() in one.casefold() and one not in ranked]
    if others:
        links = ", ".join(
            f'<a href="{escape(symbol_url(view, one))}" target="_self">{escape(one)}</a>'
            for one in others[:MAX_OTHERS]
        )
        more = f" and {len(others) - MAX_OTHERS:,} more" if len(others) > MAX_OTHERS else ""
        st.html(f"<div>Traded, but not ranked here: {links}{more}.</div>")
    elif not ranked:
        st.text(f"No symbol with “{view.find}” in its name has trades in this session.")


def show_incidents(sightings: Sequence[Sighting], view: View, with_day: bool) -> None:
    """Show the worst of the moments in which several symbols had anomalies."""
    incidents = find_incidents(sightings)
    st.markdown("#### Incidents")
    if incidents:
        st.html(incidents_html(incidents[:MAX_INCIDENTS], view, with_day))
        some = f"The {MAX_INCIDENTS} worst of {len(incidents):,}. " if len(incidents) > MAX_INCIDENTS else ""
        text = f"{some}An incident is anomalies of at least {MIN_SYMBOLS} symbols within one second."
    else:
        text = f"At no time did at least {MIN_SYMBOLS} symbols have anomalies within one second."
    if len(sightings) == MAX_SIGHTINGS:
        text += f" Only the newest {MAX_SIGHTINGS:,} anomalies were looked at: zoom in for earlier ones."
    st.caption(text)


def show_lists(answers: Answers, with_day: bool) -> None:
    """Show the open alerts, the worst anomalies and the newest."""
    alerts, anomalies = answers.alerts, answers.anomalies
    st.markdown("#### Open alerts")
    if alerts.total:
        st.html(alerts_html(alerts.alerts))
        if alerts.total > len(alerts.alerts):
            st.html(
                f'<div class="tw-faint">The newest {len(alerts.alerts)} of {alerts.total:,}: '
                '<a href="alerts" target="_self">all alerts</a>.</div>'
            )
    else:
        st.caption("No alert is open.")
    for title, rows in (("Worst anomalies", anomalies.worst), ("Newest anomalies", anomalies.newest)):
        st.markdown(f"#### {title}")
        if rows.empty:
            st.caption("There are none.")
        else:
            st.html(anomalies_html(rows, answers.corrections, with_day))


def show_watched(watched: Sequence[Watched], time_range: TimeRange, view: View, with_day: bool) -> None:
    """Show a small chart for each watched symbol."""
    st.markdown("#### Watchlist")
    if watched:
        st.html(cards_html(watched, view, time_range, with_day))
    else:
        st.caption("You watch no symbol yet: open a symbol, and choose Watch.")


def show_ranking(answers: Answers, view: View, with_day: bool) -> None:
    """Show the symbols of the heat map as a list."""
    if not answers.ranking.by_severity:
        return
    st.markdown("#### Symbols, the worst first")
    st.html(ranking_html(answers.ranking, answers.prices, view, with_day))
    st.caption(
        "Symbols with the most critical anomalies come first, then those with the most high ones, and so on. "
        "The change is from the first trade of the time shown to the last."
    )


def _count(number: int, one: str, several: str) -> str:
    return f"{number:,} {one if number == 1 else several}"
