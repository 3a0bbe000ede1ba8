"""A venue's history that refuses with an HTTP status of success."""

import asyncio
from typing import NoReturn

import pytest

from services.sources.feeds.history import History, HistoryUnavailableError
from services.sources.feeds.messages import HistoryRequest, Page
from services.sources.feeds.metrics import HISTORY_FAILURES
from services.sources.feeds.venue import RefusedError
from tests.unit.services.sources.feeds.test_session import MemoryVenue


class RefusingVenue(MemoryVenue):
    def decode_page(self, request: HistoryRequest, body: bytes) -> Page:
        raise RefusedError(f"unknown pair {body.decode()}", "Write it in another way.")


def recorded(body: bytes) -> NoReturn:
    raise AssertionError(body)


def test_a_refusal_in_a_good_answer_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    history = History(RefusingVenue([]))
    monkeypatch.setattr(history, "_get", lambda path: (200, 0.0, path.encode()))
    with pytest.raises(HistoryUnavailableError, match="unknown pair /past"):
        asyncio.run(history.ask(HistoryRequest("X", "/past"), recorded))


def test_a_question_that_has_to_be_asked_again_is_counted_with_its_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers = iter([(503, 0.0, b""), (429, 1.0, b""), (200, 0.0, b"no JSON"), (200, 0.0, b"[]")])

    class Venue(MemoryVenue):
        def decode_page(self, request: HistoryRequest, body: bytes) -> Page:
            if body != b"[]":
                raise ValueError(body)
            return Page([], None)

    async def no_sleep(_: float) -> None:
        """Wait for nothing."""

    def counts() -> list[float]:
        reasons = ("HTTP 503", "HTTP 429", "an answer that cannot be read")
        return [HISTORY_FAILURES.labels("memory", reason)._value.get() for reason in reasons]

    before = counts()
    history = History(Venue([]), no_sleep)
    monkeypatch.setattr(history, "_get", lambda _: next(answers))
    asyncio.run(history.ask(HistoryRequest("X", "/past")))
    assert [now - earlier for now, earlier in zip(counts(), before, strict=True)] == [1.0, 1.0, 1.0]
    assert history.trouble == "an answer that cannot be read"
