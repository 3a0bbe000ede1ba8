import pytest
from streamlit.testing.v1 import AppTest

from tests.unit.dashboard.conftest import RUN_TIMEOUT_S


def page() -> None:
    """Read and write URL parameters as a view does, in a run of Streamlit."""
    import streamlit as st

    from dashboard.ui import url_state

    st.session_state["changed"] = url_state.was_changed()
    st.session_state["number"] = url_state.read("number", int, 7)
    st.session_state["letters"] = url_state.read_choices("letters", ["a", "b", "c"])
    st.session_state["unread"] = url_state.take_unread()
    url_state.write(number=st.session_state.get("new_number", 7), letters=["b", "c"], gone=None)


@pytest.fixture
def app() -> AppTest:
    return AppTest.from_function(page, default_timeout=RUN_TIMEOUT_S)


def test_a_value_is_read_and_a_missing_one_is_the_default(app: AppTest) -> None:
    app.query_params["number"] = "12"
    app.run()
    assert (app.session_state["number"], app.session_state["letters"]) == (12, [])
    assert app.session_state["unread"] == []


@pytest.mark.parametrize("text", ["", "twelve", "1" * 3000, "<script>"])
def test_what_cannot_be_read_is_the_default_and_is_named(text: str, app: AppTest) -> None:
    app.query_params["number"] = text
    app.run()
    assert not app.exception
    assert (app.session_state["number"], app.session_state["unread"]) == (7, ["number"])


def test_choices_come_in_the_order_of_the_options_and_others_are_named(app: AppTest) -> None:
    app.query_params["letters"] = "c,z,a"
    app.run()
    assert (app.session_state["letters"], app.session_state["unread"]) == (["a", "c"], ["letters"])


def test_values_are_written_to_the_url_and_none_removes_them(app: AppTest) -> None:
    app.query_params["gone"] = "x"
    app.query_params["others"] = "stay"
    app.run()
    assert app.query_params == {"number": "7", "letters": "b,c", "others": "stay"}


def test_an_address_that_a_person_changed_is_noticed(app: AppTest) -> None:
    assert app.run().session_state["changed"]
    assert not app.run().session_state["changed"]
    app.query_params["number"] = "8"
    assert app.run().session_state["changed"]


def test_an_address_that_comes_with_a_control_is_no_change(app: AppTest) -> None:
    app.run()
    app.query_params["number"] = "12"  # as it was before the last write
    app.session_state["url-control-used"] = True
    app.run()
    assert not app.session_state["changed"]
    app.query_params["number"] = "12"  # and now without one: the person went back
    app.run()
    assert app.session_state["changed"]
