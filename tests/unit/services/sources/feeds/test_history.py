"""A venue's history that refuses with an HTTP status of success."""

import asyncio
from typing import NoReturn

import pytest

from services.sources.feeds.history import History, HistoryUnavailableError
from services.sources.feeds.messages import HistoryRequest, Page
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
