"""Asks for what the symbol page will most likely show, while it is found out what there is to choose from."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import streamlit as st

from dashboard.pages.symbol import state as symbol_state
from dashboard.pages.symbol.answers import Answers, Question, ask
from dashboard.server.answers import Noted, note, noting_in
from dashboard.server.elastic import begun
from dashboard.ui import watchlist
from dashboard.ui.time_ranges import Period, TimeRange, within
from services.common.elastic.client import Elasticsearch

_SHOWN = "symbol-shown"


@contextmanager
def asked_ahead(client: Elasticsearch) -> Iterator[Callable[[Question], Answers]]:
    """Ask for what was shown before, as the view is now, while the block runs.

    What becomes of these requests is noted for the page only if it uses their answer.

    Yields
    ------
    Callable
        Answers a question: with what was asked ahead if that is the same, else by asking.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer a question of the block, or rejects a request.
    """
    likely = _likely()
    if likely is None:
        yield partial(ask, client)
        return
    apart = Noted()

    def ask_apart() -> Answers:
        with noting_in(apart):
            return ask(client, likely)

    with begun(ask_apart) as ahead:

        def answer(question: Question) -> Answers:
            if question != likely:
                return ask(client, question)
            try:
                return ahead.result()
            finally:
                note(apart)

        yield answer


def note_shown(question: Question, longest: TimeRange) -> None:
    """Note what is shown, and the whole of its period."""
    st.session_state[_SHOWN] = question, longest


def was_shown() -> bool:
    """Tell whether the page has shown anything to this visitor."""
    return _SHOWN in st.session_state


def _likely() -> Question | None:
    """Return what will be shown if no session has come or gone; None where that is not known."""
    if not was_shown():
        return None
    before: Question
    before, longest = st.session_state[_SHOWN]
    view = symbol_state.current()
    if view.period != before.view.period or not isinstance(before.period, Period):
        return None
    return replace(
        before,
        view=view,
        watched=tuple(watchlist.watched()),
        symbol=view.symbol or before.symbol,
        time_range=within(view.time_range, longest),
    )
