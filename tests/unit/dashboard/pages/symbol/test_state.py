import pytest
from streamlit.testing.v1 import AppTest

from dashboard.pages.symbol.state import CANDLES, View
from tests.unit.dashboard.conftest import RUN_TIMEOUT_S


def page() -> None:
    """Read the view from the URL and write it back in a run of Streamlit."""
    import streamlit as st

    from dashboard.pages.symbol import state as symbol_state

    symbol_state.load()
    st.session_state["seen"] = symbol_state.current()
    symbol_state.save()


@pytest.fixture
def app() -> AppTest:
    return AppTest.from_function(page, default_timeout=RUN_TIMEOUT_S)


def test_a_view_that_was_sent_is_the_same_view() -> None:
    sent = {
        "symbol": "ACME",
        "session": "2026-03-02",
        "from": "2026-03-02T14:30Z",
        "to": "2026-03-02T15:00Z",
        "label": "Z-Score,High Volume",
        "severity": "critical,high",
        "chart": "candles",
        "axis": "all",
        "vwap": "on",
        "expected": "on",
        "order": "score",
        "listed": "all",
        "selected": "2-1-20260302-7",
        "live": "off",
    }
    app = AppTest.from_function(page, default_timeout=RUN_TIMEOUT_S)
    for name, value in sent.items():
        app.query_params[name] = value
    app.run()
    assert app.query_params == sent
    view = app.session_state["seen"]
    assert (view.chart, view.severities, view.is_live) == (CANDLES, ("critical", "high"), False)


def test_a_range_that_moves_on_stands_in_the_address_in_place_of_a_session(app: AppTest) -> None:
    app.query_params["range"] = "15m"
    app.run()
    assert app.session_state["seen"] == View(period="15m")
    assert app.query_params == {"range": "15m"}


def test_a_url_without_parameters_gives_the_default_view(app: AppTest) -> None:
    app.run()
    assert app.session_state["seen"] == View()
    assert app.query_params == {}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("range", "15d"),
        ("from", "yesterday"),
        ("from", "0001-01-01T00:00+23:00"),
        ("label", "<script>"),
        ("severity", "9"),
        ("chart", "pie"),
        ("axis", "none"),
        ("live", "maybe"),
    ],
)
def test_invalid_parameters_fall_back_to_the_default(name: str, text: str, app: AppTest) -> None:
    app.query_params[name] = text
    app.run()
    assert not app.exception
    assert app.session_state["seen"] == View()


def test_times_that_end_before_they_begin_are_left_out(app: AppTest) -> None:
    app.query_params["from"], app.query_params["to"] = "2026-03-02T15:00Z", "2026-03-02T14:00Z"
    app.run()
    view = app.session_state["seen"]
    assert (view.time_range, view.is_inverted) == (None, True)


def test_seconds_stay_in_the_address(app: AppTest) -> None:
    sent = {"from": "2026-03-02T14:30:15Z", "to": "2026-03-02T14:30:15.250Z"}
    for name, text in sent.items():
        app.query_params[name] = text
    app.run()
    assert app.query_params == sent


def test_who_comes_back_finds_the_view_again(app: AppTest) -> None:
    app.query_params["symbol"] = "ACME"
    app.run()
    app.query_params.clear()
    assert app.run().session_state["seen"].symbol == "ACME"
