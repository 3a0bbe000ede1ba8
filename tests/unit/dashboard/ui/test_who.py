from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.unit.dashboard.conftest import RUN_TIMEOUT_S


def who_part() -> None:
    """Ask who is at the screen in a run of Streamlit, and show what is known."""
    import streamlit as st

    from dashboard.ui.who import ask_who, show_sign_in

    show_sign_in()
    person = ask_who("asked")
    st.code(repr(person))


def run(**user: Any) -> AppTest:
    app = AppTest.from_function(who_part, default_timeout=RUN_TIMEOUT_S)
    if user:
        app.user.clear()  # it has an e-mail address to begin with
    for claim, value in user.items():
        app.user[claim] = value
    return app.run()


def test_without_a_sign_in_the_typed_name_counts_and_is_not_proven() -> None:
    app = run()
    assert app.code[0].value == "None"
    app.text_input[0].input(" Kim ").run()
    assert app.code[0].value == "Person(name='Kim', signed_in=False)"
    assert [button.label for button in app.button] == []


def test_the_name_that_the_browser_remembers_counts_until_another_is_typed(cookies: dict[str, str]) -> None:
    cookies["tapewatch_name"] = "Lee"
    app = run()
    assert app.code[0].value == "Person(name='Lee', signed_in=False)"
    app.text_input[0].input("Kim").run()
    assert app.code[0].value == "Person(name='Kim', signed_in=False)"


def test_a_sign_in_wins_over_the_remembered_name(cookies: dict[str, str]) -> None:
    cookies["tapewatch_name"] = "Lee"
    assert run(is_logged_in=True, name="Kim").code[0].value == "Person(name='Kim', signed_in=True)"
    assert run(is_logged_in=False).code[0].value == "None"


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"email": "kim@example.com", "name": "Kim"}, "kim@example.com"),
        ({"email": "boss@example.com", "email_verified": False, "preferred_username": "kim"}, "kim"),
        ({"name": "Kim"}, "Kim"),
        ({"sub": "0815"}, "0815"),
    ],
)
def test_who_has_signed_in_has_the_providers_name_and_no_field_to_type_over_it(
    claims: dict[str, Any], name: str
) -> None:
    app = run(is_logged_in=True, **claims)
    assert app.code[0].value == f"Person(name='{name}', signed_in=True)"
    assert not app.text_input
    assert [button.label for button in app.button] == ["Sign out"]


def test_where_there_is_a_sign_in_nobody_has_a_name_before_it() -> None:
    app = run(is_logged_in=False)
    assert app.code[0].value == "None"
    assert not app.text_input
    assert [button.label for button in app.button] == ["Sign in"]
