"""The clock that a visitor has chosen for all pages: in the address, and in a cookie of the browser.

A link shows its sender's choice; only a choice of one's own is remembered.
"""

from enum import StrEnum
from zoneinfo import ZoneInfo

import streamlit as st

from dashboard.ui import cookies, url_state
from dashboard.ui.clock import UTC_CLOCK, Clock
from dashboard.ui.exchange import exchange

_PARAMETER = "tz"
_COOKIE = "tapewatch_zone"
_KEY = "zone"
_CLOCK = "zone-clock"
_CHOSEN = "zone-chosen"


class Choice(StrEnum):
    """Whose clock is shown."""

    UTC = "utc"
    EXCHANGE = "exchange"
    LOCAL = "local"


def zone() -> Clock:
    """Return the chosen clock; UTC until one is chosen."""
    clock: Clock = st.session_state.get(_CLOCK, UTC_CLOCK)
    return clock


def load() -> None:
    """Take the choice from the address, from what was chosen before, or from the browser, in this order."""
    before = st.session_state.get(_KEY) or _read(cookies.remembered(_COOKIE))
    st.session_state[_KEY] = url_state.read(_PARAMETER, Choice, before)
    st.session_state[_CLOCK] = clock_of(st.session_state[_KEY])


def save() -> None:
    """Write the choice into the address, where it is not UTC; after the page has read the address.

    The browser remembers what was chosen on this page, not what came with a link.
    """
    choice = st.session_state[_KEY]
    url_state.write(**{_PARAMETER: None if choice is Choice.UTC else choice})
    if _CHOSEN in st.session_state:
        cookies.remember(_COOKIE, choice, "frame")


def choose() -> None:
    """Let the clock be chosen."""

    def take() -> None:
        choice = st.session_state["zone-choice"]
        st.session_state[_KEY] = choice
        st.session_state[_CHOSEN] = True
        # Inputs of times have another text by another clock; the address has the times themselves.
        url_state.write(**{_PARAMETER: None if choice is Choice.UTC else choice})
        url_state.have_read_again()

    if st.session_state.get("zone-choice") != st.session_state[_KEY]:
        st.session_state["zone-choice"] = st.session_state[_KEY]
    st.segmented_control(
        "Clock",
        list(Choice),
        format_func=lambda choice: _TITLES[choice].format(clock_of(choice).city),
        required=True,
        key="zone-choice",
        on_change=take,
        help="All times on all pages. Exports and the charts' tooltips have UTC as well.",
    )


_TITLES = {Choice.UTC: "{}", Choice.EXCHANGE: "Exchange: {}", Choice.LOCAL: "Here: {}"}


def clock_of(choice: Choice) -> Clock:
    """Return the clock of a choice; UTC for the browser's own where that names no known zone."""
    if choice is Choice.EXCHANGE:
        return exchange()
    if choice is Choice.LOCAL:
        return _known(st.context.timezone or "UTC")
    return UTC_CLOCK


def _known(name: str) -> Clock:
    try:
        ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # whatever a browser may say
        return UTC_CLOCK
    return Clock(name)


def _read(text: str) -> Choice:
    return Choice(text) if text in set(Choice) else Choice.UTC
