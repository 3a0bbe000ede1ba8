import datetime as dt
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace

import pytest
import streamlit as st

from dashboard.pages.symbol import ahead
from dashboard.pages.symbol import state as symbol_state
from dashboard.pages.symbol.ahead import asked_ahead, note_shown
from dashboard.pages.symbol.answers import Question
from dashboard.pages.symbol.state import CANDLES
from dashboard.server.answers import Noted, note, noting
from dashboard.ui import watchlist
from dashboard.ui.time_ranges import Period, TimeRange
from services.common.elastic.client import Elasticsearch
from services.common.errors import TapewatchError

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


def test_a_view_that_reaches_past_the_ends_of_the_session_is_asked_once(asked: list[Question]) -> None:
    hour = dt.timedelta(hours=1)
    note_shown(now(), PART)
    symbol_state.change(time_range=TimeRange(PART.start - hour, PART.start + hour))
    shown = now(TimeRange(PART.start, PART.start + hour))
    assert answered(shown) == asked == [shown]


def test_a_view_of_another_time_than_the_session_is_asked_once_for_the_whole(asked: list[Question]) -> None:
    note_shown(now(), PART)
    symbol_state.change(time_range=TimeRange(PART.end, DAY.time_range.end))
    shown = now(PART)
    assert answered(shown) == asked == [shown]


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.usefixtures("asked")
def test_the_page_is_told_that_elasticsearch_is_away_only_of_the_answer_that_it_uses(
    fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    note_shown(now(), DAY.time_range)
    likely, other = now(), replace(now(), symbol="OTHER")
    elsewhere = Noted(True, dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC))

    def answer(_: Elasticsearch, question: Question) -> Question:
        if question == likely:
            note(elsewhere)
            if fails:
                raise TapewatchError("It is away.", "Start it.")
        return question

    monkeypatch.setattr(ahead, "ask", answer)
    with noting() as noted:
        assert answered(other) == [other]
    assert noted == Noted()
    with noting() as noted, pytest.raises(TapewatchError) if fails else nullcontext():
        answered(likely)
    assert noted == elsewhere


def test_nothing_is_asked_ahead_at_first_nor_of_another_session(asked: list[Question]) -> None:
    assert answered() == []
    note_shown(now(), DAY.time_range)
    symbol_state.change(period="2026-03-01")
    assert answered() == asked == []
