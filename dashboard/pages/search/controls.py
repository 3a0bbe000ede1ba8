"""The search's controls: its filters and its order, as the address has them."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from dashboard.server.anomaly_search import (
    MAX_TEXT,
    STANDINGS,
    VERDICTS,
    Filters,
    Order,
    Place,
    Side,
    SortBy,
)
from dashboard.ui import url_state
from dashboard.ui.folded import folded
from dashboard.ui.search_address import (
    MAX_SYMBOLS,
    NAMES,
    SEVERITIES,
    to_parameters,
    to_scores,
    to_symbols,
    to_time,
    to_way,
)
from dashboard.ui.zone import zone
from services.contracts.detectors import LABELS

WORDS = "Words in the message"
_PLACE, _CHOSEN = "search-place", "search-chosen"


def choose_search(symbols: Sequence[str]) -> tuple[Filters, Order]:
    """Show the controls; returns what is searched for, and its order."""
    take_from_address()
    with folded("search") as fold:
        # Two rows: several choices in one control take room.
        choices = st.container(horizontal=True, gap="small")
        with st.container(horizontal=True, gap="small", vertical_alignment="bottom"):
            with choices:
                several = choose_several(symbols)
            filters, order = choose_filters(several), choose_order()
            if filters != Filters():
                st.button("Clear filters", icon=":material/filter_alt_off:", on_click=clear_filters)
        fold.say(to_parameters(filters, order).values())
    return filters, order


def take_from_address() -> None:
    """Set the controls to what the address says, unless it is the one that they wrote themselves."""
    state = st.session_state
    was_changed = url_state.was_changed()
    if "search-symbols" in state and not was_changed:
        return
    low, high = url_state.read("score", to_scores, (0.0, 1.0))
    state["search-symbols"] = url_state.read("symbol", to_symbols, list[str]())
    state["search-from"] = url_state.read("from", _to_input, None)
    state["search-to"] = url_state.read("to", _to_input, None)
    state["search-labels"] = url_state.read_choices("label", LABELS)
    state["search-severities"] = url_state.read_choices("severity", SEVERITIES)
    state["search-scores"] = (low, high)
    state["search-verdicts"] = url_state.read_choices("verdict", VERDICTS)
    state["search-standings"] = url_state.read_choices("venue", STANDINGS)
    state["search-text"] = url_state.read("text", str, "")[:MAX_TEXT]
    state["search-sort"] = url_state.read("sort", SortBy, SortBy.TIME)
    state["search-way"] = url_state.read("way", to_way, True)
    state[_PLACE] = url_state.read("at", _to_place, Place())
    state[_CHOSEN] = url_state.read("selected", str, None)


def write_to_address(filters: Filters, order: Order) -> None:
    """Write what is shown into the address, without what equals the default."""
    page = place()
    at = page.side if page.side is Side.LAST else f"{page.side}:{page.trade_id}"
    url_state.write(
        **{name: to_parameters(filters, order).get(name) for name in NAMES},
        at=None if page.side is Side.FIRST else at,
        selected=chosen(),
    )


def place() -> Place:
    """Return the page that is asked for."""
    asked: Place = st.session_state[_PLACE]
    return asked


def go_to_page(wanted: Place) -> None:
    """Go to another page."""
    url_state.note_control()
    st.session_state[_PLACE] = wanted


def to_first_page() -> None:
    """Go to the first page: another search has other pages."""
    go_to_page(Place())


def chosen() -> str | None:
    """Return the id of the anomaly that is shown beside the list."""
    one: str | None = st.session_state[_CHOSEN]
    return one


def choose(trade_id: str | None) -> None:
    """Show an anomaly beside the list."""
    url_state.note_control()
    st.session_state[_CHOSEN] = trade_id


def sort_by(by: SortBy) -> None:
    """Sort by a column; once more turns the order round."""
    state = st.session_state
    state["search-way"] = not state["search-way"] if state["search-sort"] == by else True
    state["search-sort"] = by
    to_first_page()


def clear_filters() -> None:
    """Search for everything, in the order chosen."""
    url_state.write(**dict.fromkeys({*NAMES, "at"} - {"sort", "way"}))
    to_first_page()
    del st.session_state["search-symbols"]  # so that all controls are set again from the address


def choose_several(symbols: Sequence[str]) -> Filters:
    """Show the controls in which several can be chosen; returns filters of only these."""
    # Symbols of the address that nobody knows are shown, too, and can be taken away.
    known = [*symbols, *(one for one in st.session_state["search-symbols"] if one not in symbols)]
    found = st.multiselect(
        "Symbols",
        known,
        placeholder="All",
        key="search-symbols",
        max_selections=MAX_SYMBOLS,
        on_change=to_first_page,
    )
    labels = _multiselect("Labels", LABELS, "search-labels")
    severities = _multiselect("Severity", SEVERITIES, "search-severities")
    verdicts = _multiselect("Verdict", VERDICTS, "search-verdicts")
    standings = _multiselect("Venue's correction", STANDINGS, "search-standings")
    return Filters(tuple(found), labels=labels, severities=severities, verdicts=verdicts, standings=standings)


def choose_filters(several: Filters) -> Filters:
    """Show the other controls that narrow the search; returns all filters."""
    start = _time_input(f"From ({zone().city})", "search-from")
    end = _time_input(f"To ({zone().city})", "search-to")
    # Its two ends stand in the session.
    st.slider("Score", 0.0, 1.0, step=0.01, key="search-scores", on_change=to_first_page, width="stretch")
    low, high = st.session_state["search-scores"]
    text = st.text_input(WORDS, key="search-text", max_chars=MAX_TEXT, on_change=to_first_page)
    return replace(
        several,
        start=start and start.replace(tzinfo=zone().zone).astimezone(dt.UTC),
        end=end and end.replace(tzinfo=zone().zone).astimezone(dt.UTC),
        min_score=low,
        max_score=high,
        text=text.strip(),
    )


def choose_order() -> Order:
    """Show the controls that sort the list."""
    by = st.selectbox(
        "Sort by", [*SortBy], format_func=str.capitalize, key="search-sort", on_change=to_first_page
    )
    is_descending = st.selectbox(
        "Order",
        [True, False],
        format_func=lambda way: "Descending" if way else "Ascending",
        key="search-way",
        on_change=to_first_page,
    )
    return Order(by, is_descending)


def _time_input(name: str, key: str) -> dt.datetime | None:
    return st.datetime_input(
        name,
        value=None,
        key=key,
        step=60,
        format="YYYY-MM-DD",
        on_change=to_first_page,
    )


def _to_input(text: str) -> dt.datetime:
    """Return a time of the address as the input shows it: by the chosen clock, without a zone."""
    return to_time(text).replace(tzinfo=dt.UTC).astimezone(zone().zone).replace(tzinfo=None)


def _multiselect(name: str, options: Sequence[str], key: str) -> tuple[str, ...]:
    return tuple(st.multiselect(name, options, placeholder="All", key=key, on_change=to_first_page))


def _to_place(text: str) -> Place:
    side, _, trade_id = text.partition(":")
    place = Place(Side(side), trade_id)
    if bool(trade_id) != (place.side in (Side.AFTER, Side.BEFORE)):
        raise ValueError(text)
    return place
