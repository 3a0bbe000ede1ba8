from collections.abc import Mapping, Sequence

import pytest
from streamlit.testing.v1 import AppTest

from tests.unit.dashboard.conftest import RUN_TIMEOUT_S

MONDAY, TUESDAY = "2026-03-02", "2026-03-03"
OFFER = "Newer session: Tue 3 Mar 2026"


def page() -> None:
    """Choose among the sessions that the test gives, newest first."""
    import datetime as dt
    from typing import Any

    import streamlit as st

    from dashboard.ui.time_ranges import periods
    from dashboard.ui.view_controls import ViewControls

    def change(**parts: Any) -> None:
        st.session_state.view = st.session_state.view | parts

    days = [dt.date.fromisoformat(day) for day in st.session_state.days]
    controls = ViewControls("test", change)
    st.session_state.shown = controls.choose_period(st.session_state.view["period"], periods(days)).name


def opened(days: Sequence[str], address: Mapping[str, str], period: str | None = None) -> AppTest:
    """Open a page whose view has this period."""
    app = AppTest.from_function(page, default_timeout=RUN_TIMEOUT_S)
    app.session_state.view = {"period": period, "time_range": "zoomed"}
    app.session_state.days = days
    for name, value in address.items():
        app.query_params[name] = value
    return app.run()


def later(app: AppTest, days: Sequence[str]) -> AppTest:
    """Run the open page again when there are these sessions."""
    app.session_state.days = days
    return app.run()


@pytest.mark.parametrize("asked", [None, "1999-01-04"])
def test_an_open_page_stays_and_offers_a_newer_session(asked: str | None) -> None:
    app = later(opened([MONDAY], {}, asked), [TUESDAY, MONDAY])
    assert app.session_state.shown == MONDAY
    assert [button.label for button in app.button] == [OFFER]
    app.button[0].click().run()
    assert app.session_state.shown == TUESDAY
    assert app.session_state.view == {"period": None, "time_range": None}
    assert not app.button


def test_a_session_that_was_asked_for_stays_without_an_offer() -> None:
    app = later(opened([MONDAY], {}, MONDAY), [TUESDAY, MONDAY])
    assert app.session_state.shown == MONDAY
    assert not app.button


def test_a_page_whose_session_is_gone_shows_the_newest() -> None:
    app = later(opened([MONDAY], {}), [TUESDAY])
    assert app.session_state.shown == TUESDAY
    assert not app.button


def test_a_wall_screen_goes_to_a_newer_session_by_itself() -> None:
    app = later(opened([MONDAY], {"wall": ""}), [TUESDAY, MONDAY])
    assert app.session_state.shown == TUESDAY
    assert not app.button


def test_another_session_is_shown_whole() -> None:
    app = opened([TUESDAY, MONDAY], {})
    app.selectbox[0].select(MONDAY).run()
    assert app.session_state.shown == MONDAY
    assert app.session_state.view == {"period": MONDAY, "time_range": None}
