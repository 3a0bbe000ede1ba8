from streamlit.testing.v1 import AppTest

from tests.unit.dashboard.conftest import RUN_TIMEOUT_S


def page() -> None:
    import streamlit as st

    from dashboard.ui.folded import folded

    with folded("some") as fold:
        chosen = st.multiselect("Letters", ["a", "b"], key="letters")
    fold.say(chosen)


def test_the_line_says_what_is_chosen_also_after_the_controls_are_shown() -> None:
    app = AppTest.from_function(page, default_timeout=RUN_TIMEOUT_S).run()
    assert [text.value for text in app.text] == ["none"]
    app.multiselect(key="letters").set_value(["a", "b"]).run()
    assert [text.value for text in app.text] == ["a · b"]
    assert not app.exception
