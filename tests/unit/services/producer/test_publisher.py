"""The publisher with topics in memory; with real Kafka: tests/integration/services/test_producer.py."""

from collections.abc import Iterator
from typing import Any

import orjson
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.common.kafka.connection import KafkaConnection
from services.common.observability.health import Health
from services.producer import pending, publisher
from services.producer.metrics import Tally
from services.producer.publisher import Publisher
from services.sources.base import Chunk, Cursor, RejectedRow, Source
from services.sources.columns import COLUMNS
from services.sources.encode import Encoding
from tests.stops import AskedFor
from tests.unit.services.producer.ledger import Ledger

KEY = "ab" * 32
Rows = list[list[bool]]
"""Chunks of rows, by whether each is a trade."""


class Rehearsed(Source):
    """A source with given rows in given chunks.

    Parameters
    ----------
    chunks
        The rows.
    by_line
        Whether the cursor is the line, as a file's; else it is an object of its own.
    """

    name = "rehearsed"
    encoding = Encoding("test")
    identity = KEY

    def __init__(self, chunks: Rows, by_line: bool) -> None:
        self._chunks = chunks
        self.line_is_cursor = by_line
        self.asked_after: list[Cursor | None] = []

    def chunks(self, after: Any = None) -> Iterator[Chunk]:  # noqa: ANN401
        self.asked_after.append(after)
        done = 0 if after is None else after if self.line_is_cursor else after["row"]
        line = 0
        for rows in self._chunks:
            lines = range(line + 1, line + 1 + len(rows))
            line += len(rows)
            good = [at for at, is_trade in zip(lines, rows, strict=True) if is_trade and at > done]
            bad = [at for at, is_trade in zip(lines, rows, strict=True) if not is_trade and at > done]
            cursor: Cursor | None = line if self.line_is_cursor else {"row": max(line, done)}
            if self.line_is_cursor and not line:
                cursor = None
            yield Chunk(trades(good), [RejectedRow(at, b"%d" % at, "no trade") for at in bad], cursor)


def trades(lines: list[int]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "line": lines,
            "ts_event": lines,
            "trade_id": [f"t{line}" for line in lines],
            "symbol": ["A"] * len(lines),
            "price": [1] * len(lines),
            "size": [1] * len(lines),
            "side": ["N"] * len(lines),
            "sequence": lines,
        },
        schema=COLUMNS,
    )


KAFKA = KafkaConnection("nowhere:1")


def publish(source: Source, ledger: Ledger, limit: int | None = None, stop: AskedFor | None = None) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publisher, "Transactions", ledger.transactions)
        patch.setattr(publisher, "load_progress", ledger.load_progress)
        tally = Tally(Health(), limit)
        Publisher(source, KAFKA, stop or AskedFor(), tally).publish(None, again=False, show=lambda _: None)


def published(ledger: Ledger) -> tuple[list[int], list[int]]:
    return [orjson.loads(value)["sequence"] for value in ledger.trades], [
        int(value) for value in ledger.rejected
    ]


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.lists(st.booleans(), max_size=12), max_size=5),
    by_line=st.booleans(),
    faults=st.lists(st.sampled_from([None, None, None, "full", "refused", "aborted"]), max_size=40),
    commit_rows=st.integers(1, 10),
    limit=st.none() | st.integers(1, 20),
)
def test_each_row_is_published_once_whatever_fails(
    rows: Rows, by_line: bool, faults: list[str | None], commit_rows: int, limit: int | None
) -> None:
    flat = [is_trade for chunk in rows for is_trade in chunk]
    good = [line for line, is_trade in enumerate(flat, 1) if is_trade]
    bad = [line for line, is_trade in enumerate(flat, 1) if not is_trade]
    ledger = Ledger(iter(faults))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pending, "COMMIT_ROWS", commit_rows)
        if limit is not None:
            publish(Rehearsed(rows, by_line), ledger, limit)
            first, _ = published(ledger)
            assert first == good[: len(first)]
            if by_line:
                assert len(first) == min(limit, len(good))
        publish(Rehearsed(rows, by_line), ledger)
    assert published(ledger) == (good, bad)
    record = ledger.progress(KEY)
    assert (record.trades, record.bad_rows, record.complete) == (len(good), len(bad), True)
    before = len(ledger.committed)
    publish(Rehearsed(rows, by_line), ledger)
    assert len(ledger.committed) == before


def test_a_chunk_of_a_source_with_its_own_cursor_is_never_committed_in_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pending, "COMMIT_ROWS", 1)
    ledger = Ledger(iter(()))
    publish(Rehearsed([[True, False, True, True], [True]], by_line=False), ledger)
    records = [orjson.loads(value) for topic, _, value in ledger.committed if topic == "producer-progress"]
    assert [(one.get("cursor"), one["line"], one["trades"]) for one in records] == [
        (None, 0, 0),
        ({"row": 4}, 0, 3),
        ({"row": 5}, 0, 4),
        ({"row": 5}, 0, 4),
    ]


class Quiet(Rehearsed):
    """A feed without any trades after its rows."""

    def __init__(self, rows: Rows, stop: AskedFor, health: Health) -> None:
        super().__init__(rows, by_line=False)
        self._stop = stop
        self._health = health
        self.alive: list[str | None] = []

    def chunks(self, after: Any = None) -> Iterator[Chunk]:  # noqa: ANN401
        cursor = after
        for chunk in super().chunks(after):
            cursor = chunk.cursor
            yield chunk
        while True:
            self.alive.append(self._health.why_not_alive())
            if len(self.alive) == 5:
                self._stop.request()
            yield Chunk(trades([]), [], cursor)


def test_a_quiet_feed_is_alive_and_a_stop_is_noticed_while_it_waits() -> None:
    now_s = 0.0

    def clock_s() -> float:
        nonlocal now_s
        now_s += 20.0  # as if every look at the clock came so much later
        return now_s

    stop = AskedFor()
    health = Health(stale_after_s=60.0, clock_s=clock_s)
    source = Quiet([[True], [True, False]], stop, health)
    ledger = Ledger(iter(()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publisher, "Transactions", ledger.transactions)
        patch.setattr(publisher, "load_progress", ledger.load_progress)
        Publisher(source, KAFKA, stop, Tally(health, None)).publish(None, again=False, show=lambda _: None)
    assert source.alive == [None] * 5
    assert published(ledger) == ([1, 2], [3])
    record = ledger.progress(KEY)
    assert (record.complete, record.cursor) == (False, {"row": 3})
    assert ledger.commits == 4  # the claim, the two chunks with rows, and the stop

    resumed = Rehearsed([[True], [True, False], [True]], by_line=False)
    publish(resumed, ledger)
    assert resumed.asked_after == [{"row": 3}]
    assert published(ledger) == ([1, 2, 4], [3])
