import datetime as dt

import pytest

from dashboard.pages.alerts.details import headline_html, history_html, sending_words, status
from services.contracts.alert import Sending
from services.contracts.anomaly import SEVERITY_COLORS
from services.review.case import (
    Action,
    Case,
    Entry,
    Outcome,
    case_of,
)
from tests.alerts import ALERT, changed

EVIL = "<script>alert(1)</script>"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;"
AT = dt.datetime(2039, 12, 6, 12, tzinfo=dt.UTC)


def entry(number: int, action: Action, **fields: object) -> Entry:
    return Entry("a" * 32, "LOOK", number, action, "Kim", AT, **fields)  # type: ignore[arg-type]


def test_the_headline_has_the_severity_the_message_and_where_the_case_stands() -> None:
    html = headline_html(ALERT, case_of([entry(1, Action.ASSIGNED, assignee="Lee")]))
    texts = (ALERT.message, SEVERITY_COLORS[ALERT.severity], "Lee", "new", "2039-12-05 15:00:00.050")
    for text in (*texts, "2039-12-05 15:00:00.030", "Cancelled trades"):
        assert text in html


def test_what_comes_from_the_data_is_text() -> None:
    evil = changed(symbol=EVIL, message=EVIL, rule=EVIL, labels=[EVIL])
    case = case_of(
        [
            Entry(EVIL, EVIL, 1, Action.ASSIGNED, EVIL, AT, comment=EVIL, assignee=EVIL),
            entry(2, Action.LINKED, linked_to='"><script>'),
        ]
    )
    for html in (headline_html(evil, case), history_html(case, {'"><script>': EVIL})):
        assert "<script" not in html
        assert ESCAPED in html


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([], "new"),
        ([entry(1, Action.COMMENTED, comment="?")], "new"),
        ([entry(1, Action.ACKNOWLEDGED)], "acknowledged by Kim"),
        ([entry(1, Action.CLOSED, outcome=Outcome.FALSE_ALARM)], "closed as false alarm by Kim"),
        ([entry(1, Action.CLOSED, outcome=Outcome.CONFIRMED), entry(2, Action.REOPENED)], "reopened"),
    ],
)
def test_a_case_stands_where_its_entries_say(entries: list[Entry], words: str) -> None:
    assert status(case_of(entries)) == words


def test_a_history_has_the_newest_first_and_says_whether_names_are_proven() -> None:
    html = history_html(
        case_of([entry(1, Action.ACKNOWLEDGED), entry(2, Action.COMMENTED, comment="so", signed_in=True)]), {}
    )
    assert html.index("commented") < html.index("acknowledged it")
    assert html.index("signed in") < html.index("name not proven")
    assert "2039-12-06 12:00:00 UTC" in html
    assert history_html(Case(), {}).count("<b>") == 0


def test_an_alert_that_is_not_sent_says_why() -> None:
    assert sending_words(changed(inhibited_by=None, sending=Sending.DUE)) == "yes"
    assert "were old" in sending_words(changed(inhibited_by=None))
    assert "more urgent" in sending_words(ALERT)
