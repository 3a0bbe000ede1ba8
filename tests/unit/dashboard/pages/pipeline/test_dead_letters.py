import threading
from typing import Any

import pytest

from dashboard.pages.pipeline import dead_letters
from dashboard.pages.pipeline.dead_letters import LetterWatch
from services.common.errors import TapewatchError


class Letters:
    """Counts what a test says, or fails; each count waits until the test asks for it."""

    def __init__(self) -> None:
        self.wanted = threading.Semaphore(0)
        self.answers: list[int | TapewatchError] = []

    def so_far(self, wait_s: float) -> int:
        assert wait_s > 0
        self.wanted.acquire()  # the thread that asks has no end: a limit would fail in some other test
        answer = self.answers.pop(0)
        if isinstance(answer, TapewatchError):
            raise answer
        return answer


def watch(*answers: int | TapewatchError) -> tuple[LetterWatch, Letters]:
    letters: Any = Letters()
    letters.answers += answers
    return LetterWatch(letters), letters


def test_letters_are_counted_beside_the_page() -> None:
    watched, letters = watch(9_065)
    with pytest.raises(TapewatchError, match="has not answered yet"):
        watched.count()
    letters.wanted.release()
    assert watched.count(30) == 9_065


def test_a_kafka_that_is_away_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letters, "TRIED_AGAIN_AFTER_S", 0.05)
    watched, letters = watch(TapewatchError("It is away.", "Start it."), 3, 3)
    letters.wanted.release()
    with pytest.raises(TapewatchError, match="It is away"):
        watched.count(30)
    letters.wanted.release()
    deadline = threading.Event()
    for _ in range(100):
        try:
            assert watched.count() == 3
        except TapewatchError:
            deadline.wait(0.1)
        else:
            return
    raise AssertionError("it was not tried again")
