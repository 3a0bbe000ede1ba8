"""What is read of an index that grows, and what becomes of it; the index is a list here."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import fields

import numpy as np
import pytest

from services.common.elastic.client import Elasticsearch
from services.common.errors import TapewatchError
from services.detector.detectors.checks import part, session_trades
from services.detector.engine.columns import TradeColumns
from services.detector.offline.expected import session
from services.detector.offline.expected.moments import MOMENTS, Expectations
from services.detector.offline.expected.session import ExpectedSession
from services.detector.profiles.profile import load_profile

SYMBOL = "AAA"
DEFAULT = load_profile("default")
START, END = (dt.datetime(2024, 12, day, 5, tzinfo=dt.UTC) for day in (2, 3))
PAGE = 100


class Index:
    """Trades that are indexed one after the other, in any order, and read in order of time."""

    def __init__(self) -> None:
        self.tape = session_trades(SYMBOL, 0, 1_000, seed=3)
        self.indexed: list[int] = []
        self.read = 0
        self.is_away = False

    def count(self, *_: object) -> int:
        if len(self.indexed) > session.MAX_TRADES:
            raise TapewatchError("Too many.", "Fewer.")
        return len(self.indexed)

    def pieces(
        self,
        client: Elasticsearch,
        symbol: str,
        start: dt.datetime,
        end: dt.datetime,
        trades: int,
        time_zone: str,
        first: int,
    ) -> Iterator[tuple[TradeColumns, list[object]]]:
        assert (symbol, end, time_zone) == (SYMBOL, END, "America/New_York")
        start_us = (start - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(microseconds=1)
        places = [at for at in sorted(self.indexed) if self.tape.event_ns[at] >= 1000 * start_us]
        for at in range(0, len(places), PAGE):
            if self.is_away:
                raise TapewatchError("Elasticsearch is away.", "Wait.")
            page = part(self.tape, places[at : at + PAGE])
            numbers = np.arange(first + at, first + at + len(page))
            self.read += len(page)
            columns = {field.name: getattr(page, field.name) for field in fields(page)}
            yield TradeColumns(**columns | {"identity": numbers}), []


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Index:
    index = Index()
    monkeypatch.setattr(session, "count_trades", index.count)
    monkeypatch.setattr(session, "read_pieces", index.pieces)
    return index


@pytest.fixture
def client() -> Iterator[Elasticsearch]:
    client = Elasticsearch("http://127.0.0.1:1")
    yield client
    client.close()


def of(tape: TradeColumns) -> np.ndarray:
    return Expectations(DEFAULT, SYMBOL).add(tape)


def assert_equal(found: np.ndarray, wanted: np.ndarray) -> None:
    for name in MOMENTS.names or ():
        np.testing.assert_array_equal(found[name], wanted[name])


def ignore(done: int, of: int) -> None:
    assert 0 < done <= of


@pytest.mark.parametrize("step", [1, 7, 250])
def test_a_growing_index_gives_the_same_as_a_whole_one_and_is_read_once(
    step: int, index: Index, client: Elasticsearch
) -> None:
    judged = ExpectedSession(DEFAULT, SYMBOL, START, END)
    for end in range(step, 401, step):
        index.indexed = [*range(end)]
        judged.update(client, ignore)
    end = 400 // step * step
    assert_equal(judged.moments, of(part(index.tape, range(end))))
    # Besides, those of the newest moment are read again, to tell which of them are new.
    assert index.read <= end + 2 * (end // step)
    before = index.read
    judged.update(client, ignore)
    assert index.read == before


def test_trades_of_one_moment_that_are_indexed_one_after_the_other_are_all_taken(
    index: Index, client: Elasticsearch
) -> None:
    index.tape.event_ns[100:130] = index.tape.event_ns[100]
    judged = ExpectedSession(DEFAULT, SYMBOL, START, END)
    for end in (90, 105, 106, 125, 140):
        index.indexed = [*range(end)]
        judged.update(client, ignore)
    assert_equal(judged.moments, of(part(index.tape, range(140))))


def test_a_few_that_come_late_are_left_out_and_many_have_all_read_anew(
    index: Index, client: Elasticsearch
) -> None:
    judged = ExpectedSession(DEFAULT, SYMBOL, START, END)
    early = [*range(50), *range(60, 500)]
    index.indexed = early
    judged.update(client, ignore)
    index.indexed = [*range(500)]
    judged.update(client, ignore)
    assert_equal(judged.moments, of(part(index.tape, early)))
    index.indexed = [*range(200), *range(400, 500)]
    judged = ExpectedSession(DEFAULT, SYMBOL, START, END)
    judged.update(client, ignore)
    index.indexed = [*range(500)]
    judged.update(client, ignore)
    assert_equal(judged.moments, of(part(index.tape, range(500))))


def test_a_day_that_is_deleted_and_indexed_again_begins_anew(index: Index, client: Elasticsearch) -> None:
    judged = ExpectedSession(DEFAULT, SYMBOL, START, END)
    index.indexed = [*range(300)]
    judged.update(client, ignore)
    index.indexed = [*range(200)]
    judged.update(client, ignore)
    assert_equal(judged.moments, of(part(index.tape, range(200))))


def test_what_was_read_before_an_outage_stays_and_goes_on_after_it(
    index: Index, client: Elasticsearch
) -> None:
    judged = ExpectedSession(DEFAULT, SYMBOL, START, END)
    index.indexed = [*range(300)]

    def stop(done: int, of: int) -> None:
        index.is_away = done >= 200

    with pytest.raises(TapewatchError, match="away"):
        judged.update(client, stop)
    assert len(judged.moments) == 200
    index.is_away = False
    judged.update(client, ignore)
    assert_equal(judged.moments, of(part(index.tape, range(300))))


def test_of_too_many_trades_what_is_there_stays(
    index: Index, client: Elasticsearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "MAX_TRADES", 250)
    judged = ExpectedSession(DEFAULT, SYMBOL, START, END)
    index.indexed = [*range(200)]
    judged.update(client, ignore)
    index.indexed = [*range(300)]
    with pytest.raises(TapewatchError, match="Too many"):
        judged.update(client, ignore)
    assert len(judged.moments) == 200
