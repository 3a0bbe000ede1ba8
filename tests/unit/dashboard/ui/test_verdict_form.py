import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from streamlit.testing.v1.element_tree import Button

from dashboard.ui import verdict_form
from services.common.errors import TapewatchError
from services.review.verdicts import WITHDRAWN, Verdict
from tests.unit.dashboard.conftest import RUN_TIMEOUT_S

JUDGED = Verdict("7", "false alarm", "", "Kim", dt.datetime(2026, 3, 2, 15, 30, tzinfo=dt.UTC))


def verdict_part() -> None:
    """Show the part of the page with the verdict in a run of Streamlit."""
    from dashboard.ui.verdict_form import show_verdict
    from dashboard.ui.who import ask_who

    client: Any = None
    show_verdict(client, {"trade_id": "7"}, ask_who("asked"))


@pytest.fixture
def verdicts(monkeypatch: pytest.MonkeyPatch) -> dict[str, Verdict]:
    kept = {"7": JUDGED}
    monkeypatch.setattr(verdict_form, "verdicts_of", lambda _client, _ids: dict(kept))
    history = [JUDGED]
    monkeypatch.setattr(verdict_form, "history_of", lambda _client, _id: history)

    def take_back(_client: object, trade_id: str, by: str, _comment: str, signed_in: bool) -> None:
        history.append(replace(kept.pop(trade_id), verdict=WITHDRAWN, recorded_by=by, signed_in=signed_in))

    monkeypatch.setattr(verdict_form, "withdraw", take_back)
    return kept


def withdraw_verdict(name: str = "Lee", **user: str | bool) -> AppTest:
    app = AppTest.from_function(verdict_part, default_timeout=RUN_TIMEOUT_S)
    for claim, value in user.items():
        app.user[claim] = value
    app.run()
    if not user:
        app.text_input[0].input(name)
    return button_of(app, "Withdraw verdict").click().run()


def test_withdrawn_verdict_is_gone_at_once(verdicts: dict[str, Verdict]) -> None:
    app = withdraw_verdict()
    assert verdicts == {}
    assert [caption.value for caption in app.caption] == [
        "No verdict counts now: the last one was withdrawn."
    ]
    assert "by Lee on" in app.get("html")[-1].proto.body


def test_nobody_withdraws_without_a_name(verdicts: dict[str, Verdict]) -> None:
    app = withdraw_verdict(name="")
    assert "7" in verdicts
    assert told(app) == ["Nothing is recorded without a name.", "Enter your name."]


def test_the_name_of_a_sign_in_is_recorded_and_cannot_be_typed_over(verdicts: dict[str, Verdict]) -> None:
    app = withdraw_verdict(is_logged_in=True, email="kim@example.com", name="Lee")
    assert not app.text_input
    assert "by kim@example.com on" in app.get("html")[-1].proto.body
    assert "signed in" in app.get("html")[-1].proto.body


def test_who_has_not_signed_in_where_there_is_a_sign_in_records_nothing(verdicts: dict[str, Verdict]) -> None:
    app = withdraw_verdict(is_logged_in=False, email="kim@example.com")
    assert "7" in verdicts
    assert told(app) == ["Nothing is recorded without a name.", "Sign in."]


def test_what_was_typed_stays_until_it_is_recorded(
    verdicts: dict[str, Verdict], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise TapewatchError("Elasticsearch is away.", "Start it.")

    monkeypatch.setattr(verdict_form, "record", fail)
    app = AppTest.from_function(verdict_part, default_timeout=RUN_TIMEOUT_S).run()
    app.text_input[0].input("Lee")
    app.text_area[0].input("an auction")
    button_of(app, "Confirmed").click().run()
    assert not app.exception
    assert told(app) == ["Elasticsearch is away.", "Start it."]
    assert app.text_area[0].value == "an auction"
    monkeypatch.setattr(verdict_form, "record", lambda *_, **__: JUDGED)
    button_of(app, "Confirmed").click().run()
    assert [success.value for success in app.success] == ["Recorded."]
    assert "by Kim on" in app.text[0].value
    assert app.text_area[0].value == ""


def button_of(app: AppTest, label: str) -> Button:
    (button,) = (button for button in app.button if button.label == label)
    return button


def told(app: AppTest) -> list[str]:
    assert [error.value for error in app.error] == [
        "Nothing was recorded. What you typed is still here: try again."
    ]
    return [text.value for text in app.text if text.value != "kim@example.com"][:2]
