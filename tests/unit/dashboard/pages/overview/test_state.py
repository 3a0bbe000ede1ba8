import pytest
from streamlit.testing.v1 import AppTest

from dashboard.pages.overview.state import UNLESS_CHOSEN, View
from tests.unit.dashboard.conftest import RUN_TIMEOUT_S


def page() -> None:
    """Read the view from the URL and write it back in a run of Streamlit."""
    import streamlit as st

    from dashboard.pages.overview import state as overview_state

    overview_state.load()
    st.session_state["seen"] = overview_state.current()
    overview_state.save()


@pytest.fixture
def app() -> AppTest:
    return AppTest.from_function(page, default_timeout=RUN_TIMEOUT_S)


def test_a_view_that_was_sent_is_the_same_view(app: AppTest) -> None:
    sent = {
        "session": "last-5",
        "from": "2026-03-02T14:30Z",
        "to": "2026-03-02T15:00Z",
        "label": "Z-Score,High Volume",
        "severity": "critical,info",
        "find": "BTC-*",
        "live": "off",
    }
    for name, value in sent.items():
        app.query_params[name] = value
    app.run()
    assert app.query_params == sent
    view = app.session_state["seen"]
    assert (view.shown, view.find, view.is_live) == (("critical", "info"), "BTC-*", False)


def test_a_range_that_moves_on_stands_in_the_address_in_place_of_a_session(app: AppTest) -> None:
    app.query_params["range"] = "1h"
    app.run()
    assert app.session_state["seen"] == View(period="1h")
    assert app.query_params == {"range": "1h"}


def test_natural_events_are_shown_only_if_chosen(app: AppTest) -> None:
    app.run()
    assert app.session_state["seen"] == View()
    assert app.session_state["seen"].shown == UNLESS_CHOSEN == ("critical", "high", "medium", "low")
    assert app.query_params == {}


@pytest.mark.parametrize(
    ("name", "text"), [("range", "15d"), ("from", "yesterday"), ("severity", "9"), ("live", "maybe")]
)
def test_invalid_parameters_fall_back_to_the_default(name: str, text: str, app: AppTest) -> None:
    app.query_params[name] = text
    app.run()
    assert not app.exception
    assert app.session_state["seen"] == View()


def test_who_comes_back_from_a_symbol_finds_the_view_again(app: AppTest) -> None:
    app.query_params["severity"] = "high"
    app.run()
    app.query_params.clear()
    app.run()
    assert app.session_state["seen"].severities == ("high",)
    assert app.query_params == {"severity": "high"}
