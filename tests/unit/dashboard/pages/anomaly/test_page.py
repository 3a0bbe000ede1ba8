import datetime as dt
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from dashboard.pages.anomaly import page as anomaly_page
from services.common.errors import TapewatchError
from services.review.verdicts import Verdict
from tests.unit.dashboard.conftest import RUN_TIMEOUT_S

JUDGED = Verdict("7", "false alarm", "", "Kim", dt.datetime(2026, 3, 2, 15, 30, tzinfo=dt.UTC))


def verdict_part() -> None:
    """Show the part of the page with the verdict in a run of Streamlit."""
    from dashboard.pages.anomaly import page as anomaly_page
    from dashboard.ui.error_boundary import error_boundary

    client: Any = None
    with error_boundary():
        anomaly_page.show_verdict(client, {"trade_id": "7"})


@pytest.fixture
def verdicts(monkeypatch: pytest.MonkeyPatch) -> dict[str, Verdict]:
    kept = {"7": JUDGED}
    monkeypatch.setattr(anomaly_page, "verdicts_of", lambda _client, _ids: dict(kept))
    monkeypatch.setattr(anomaly_page, "withdraw", lambda _client, trade_id: kept.pop(trade_id))
    return kept


def withdraw_verdict() -> AppTest:
    app = AppTest.from_function(verdict_part, default_timeout=RUN_TIMEOUT_S).run()
    (button,) = (button for button in app.button if button.label == "Withdraw verdict")
    return button.click().run()


def test_withdrawn_verdict_is_gone_at_once(verdicts: dict[str, Verdict]) -> None:
    app = withdraw_verdict()
    assert verdicts == {}
    assert [caption.value for caption in app.caption] == ["No verdict has been recorded yet."]


def test_a_failed_withdrawal_shows_the_reason(
    verdicts: dict[str, Verdict], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_client: object, _trade_id: str) -> None:
        raise TapewatchError("Elasticsearch is away.", "Start it.")

    monkeypatch.setattr(anomaly_page, "withdraw", fail)
    app = withdraw_verdict()
    assert not app.exception
    assert [text.value for text in app.text] == ["Elasticsearch is away.", "Start it."]
