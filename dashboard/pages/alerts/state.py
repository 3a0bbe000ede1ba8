"""What the person at the screen has chosen and seen; the choices stand in the address."""

from enum import StrEnum

import streamlit as st

from dashboard.server.alerts import Filters
from dashboard.ui import url_state
from services.contracts.anomaly import Severity
from services.review.case import (
    Case,
)
from services.review.history import Person

_SEEN = "alerts-seen"
_CHOSEN = "alerts-chosen"
_MAX_SYMBOLS = 20


class View(StrEnum):
    """Which alerts the list shows."""

    OPEN = "open"
    MINE = "mine"
    UNASSIGNED = "unassigned"
    CLOSED = "closed"


def take_from_address() -> None:
    """Set the controls to what the address says, unless it is the one that they wrote themselves."""
    state = st.session_state
    was_changed = url_state.was_changed()
    if "alerts-view" in state and not was_changed:
        return
    state["alerts-view"] = url_state.read("show", View, View.OPEN)
    state["alerts-severities"] = url_state.read_choices("severity", list(reversed(Severity)))
    state["alerts-symbols"] = url_state.read("symbol", _to_symbols, list[str]())


def write_to_address() -> None:
    """Write what is chosen into the address, without what equals the default."""
    state = st.session_state
    view = state["alerts-view"]
    url_state.write(
        show=None if view is View.OPEN else view,
        severity=state["alerts-severities"],
        symbol=state["alerts-symbols"],
        id=None,
    )


def filters_for(person: Person | None) -> Filters | None:
    """Return what is chosen as filters; None if it depends on who asks, and nobody knows."""
    view = View(st.session_state["alerts-view"])
    if view is View.MINE and person is None:
        return None
    assignee = {View.MINE: person.name if person else "", View.UNASSIGNED: ""}.get(view)
    return Filters(
        view is View.CLOSED,
        tuple(st.session_state["alerts-severities"]),
        tuple(st.session_state["alerts-symbols"]),
        assignee,
    )


def chosen() -> str | None:
    """Return the id of the alert in the chosen row."""
    one: str | None = st.session_state.get(_CHOSEN)
    return one


def choose(alert_id: str | None) -> None:
    """Choose the row of an alert."""
    url_state.note_control()
    st.session_state[_CHOSEN] = alert_id


def seen_case(alert_id: str) -> Case:
    """Return a case as it was when it was shown last: what a person's step is based on."""
    seen: Case = st.session_state.get(_SEEN, {}).get(alert_id, Case())
    return seen


def note_seen(cases: dict[str, Case]) -> None:
    """Note the cases that are shown now, in place of those noted before."""
    st.session_state[_SEEN] = cases


def _to_symbols(text: str) -> list[str]:
    return [symbol for symbol in dict.fromkeys(text.split(",")) if symbol][:_MAX_SYMBOLS]
