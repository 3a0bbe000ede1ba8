import datetime as dt
from collections.abc import Iterator
from dataclasses import replace

import pytest
import streamlit as st

from dashboard.pages.symbol import ahead
from dashboard.pages.symbol import state as symbol_state
from dashboard.pages.symbol.ahead import asked_ahead, note_shown
from dashboard.pages.symbol.answers import Question
from dashboard.pages.symbol.state import CANDLES
from dashboard.ui import watchlist
from dashboard.ui.time_ranges import Period, TimeRange
from services.common.elastic.client import Elasticsearch

DAY = Period(dt.date(2026, 3, 2), dt.date(2026, 3, 2))
PART = TimeRange(DAY.time_range.start + dt.timedelta(hours=10), DAY.time_range.start + dt.timedelta(hours=16))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Question]]:
    """Yields the questions that reach Elasticsearch."""
    questions: list[Question] = []

    def answer(_: Elasticsearch, question: Question) -> Question:
        questions.append(question)
        return question

    monkeypatch.setattr(ahead, "ask", answer)
    yield questions
    st.session_state.clear()


def now(time_range: TimeRange = DAY.time_range) -> Question:
    """Return what the page shows of the view as it is now."""
    return Question(symbol_state.current(), tuple(watchlist.watched()), "ACME", DAY, time_range)


def answered(*questions: Question) -> list[object]:
    client = Elasticsearch("http://127.0.0.1:1")
    with asked_ahead(client) as ask:
        return [ask(question) for question in questions]


def test_what_is_shown_again_is_asked_once_as_the_view_is_now(asked: list[Question]) -> None:
    note_shown(now(), DAY.time_range)
    symbol_state.change(chart=CANDLES, time_range=PART)
    shown = now(PART)
    assert answered(shown) == asked == [shown]


def test_another_question_than_the_likely_one_is_asked(asked: list[Question]) -> None:
    note_shown(now(), DAY.time_range)
    other = replace(now(), symbol="OTHER")
    assert answered(other) == [other]
    assert other in asked


def test_nothing_is_asked_ahead_at_first_nor_of_another_session(asked: list[Question]) -> None:
    assert answered() == []
    note_shown(now(), DAY.time_range)
    symbol_state.change(period="2026-03-01")
    assert answered() == asked == []
