"""The part of the pipeline page about dead letters: how many Kafka holds, whoever wrote them."""

import threading

import streamlit as st

from dashboard.ui.markdown import show_text
from services.common.config.settings import Settings
from services.common.errors import TapewatchError
from services.common.kafka.connection import kafka_connection
from services.common.kafka.letter_count import LetterCount

READ_FOR_S = 1.0
TRIED_AGAIN_AFTER_S = 15.0
WAITED_FOR_S = 2.0
"""So long the first visitor's page waits for the first count."""


class LetterWatch:
    """Counts in a thread of its own: Kafka may be away, and nobody waits for it.

    Parameters
    ----------
    letters
        Counts them.
    """

    def __init__(self, letters: LetterCount) -> None:
        self._letters = letters
        self._told = threading.Event()
        self._count = 0
        self._problem: TapewatchError | None = None
        threading.Thread(target=self._run, name="dead-letters", daemon=True).start()

    def count(self, wait_s: float = 0.0) -> int:
        """Return how many there are; waits so long for the first answer.

        Raises
        ------
        TapewatchError
            It is not known now.
        """
        if not self._told.wait(wait_s):
            raise TapewatchError("Kafka has not answered yet.", "The next refresh tells more.")
        if self._problem is not None:
            raise self._problem
        return self._count

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            try:
                self._count, self._problem = self._letters.so_far(READ_FOR_S), None
            except TapewatchError as error:
                self._problem = error
            self._told.set()
            if self._problem is not None:
                pause.wait(TRIED_AGAIN_AFTER_S)


@st.cache_resource
def letter_watch() -> LetterWatch:
    """Return the count that all visitors share; it begins with the first visit of this page."""
    return LetterWatch(LetterCount(kafka_connection(Settings())))


def show_dead_letters() -> None:
    """Say how many dead letters Kafka holds, or that this dashboard cannot know."""
    try:
        count = letter_watch().count(WAITED_FOR_S)
    except TapewatchError as error:
        st.caption("How many dead letters Kafka holds is not known here:")
        show_text(f"{error.cause} {error.hint}")
        return
    if count:
        letters = "1 dead letter is" if count == 1 else f"{count:,} dead letters are"
        st.warning(
            f"{letters} in Kafka, those of services that have ended included. "
            "`tapewatch dead-letters list` says why each was rejected, and `replay` puts them back.",
            icon=":material/mail_off:",
        )
    else:
        st.caption("Kafka holds no dead letters.")
