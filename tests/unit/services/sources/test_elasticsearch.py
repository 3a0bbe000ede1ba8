import datetime as dt
from typing import Any, cast

import orjson
import pytest

from services.common.elastic.client import Elasticsearch
from services.common.errors import TapewatchError
from services.sources import elasticsearch
from services.sources.base import Chunk
from services.sources.columns import COLUMNS
from services.sources.elasticsearch import IndexRange
from tests.samples import trade_json

START, END = dt.datetime(2024, 12, 2), dt.datetime(2024, 12, 3)


class Pages:
    """The client calls needed for reading, over documents in order."""

    def __init__(self, documents: list[dict[str, Any]]) -> None:
        self.documents = documents
        self.closed = 0
        self.transport = self
        self.node_pool = self

    def all(self) -> list[Any]:
        return []

    def count(self, **_: object) -> dict[str, int]:
        return {"count": len(self.documents)}

    def open_point_in_time(self, **_: object) -> dict[str, str]:
        return {"id": "now"}

    def close_point_in_time(self, **_: object) -> None:
        self.closed += 1

    def search(self, *, search_after: list[int] | None = None, size: int, **_: object) -> dict[str, Any]:
        start = search_after[0] if search_after else 0
        hits = [
            {"_source": document, "sort": [at]}
            for at, document in enumerate(self.documents[start : start + size], start + 1)
        ]
        return {"pit_id": "now", "hits": {"hits": hits}}


def index_range(documents: list[dict[str, Any]]) -> IndexRange:
    return IndexRange(cast("Elasticsearch", Pages(documents)), START, END, "NVDA")


def trade(number: int, **changes: object) -> dict[str, Any]:
    return cast("dict[str, Any]", orjson.loads(trade_json(number, **changes)))


def rows(chunks: list[Chunk]) -> list[tuple[Any, ...]]:
    return [row for chunk in chunks for row in chunk.trades.select(*COLUMNS).iter_rows()]


def test_documents_come_back_as_they_are_and_as_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elasticsearch, "PAGE_DOCUMENTS", 2)
    documents = [trade(number, price=0.1 * number, venue="Q") for number in range(5)]
    source = index_range(documents)
    chunks = list(source.chunks())
    assert [(len(chunk.trades), chunk.cursor, chunk.position) for chunk in chunks] == [
        (2, 2, 2),
        (2, 4, 4),
        (1, 5, 5),
    ]
    assert source.size == 5
    values = [value for chunk in chunks for value in source.to_json(chunk.trades)]
    assert [orjson.loads(value) for value in values] == documents
    assert rows(chunks)[3] == (
        4,
        1_733_149_803_000_000_007,
        "2-11667-20241202-3",
        "NVDA",
        300_000_000,
        100,
        "B",
        3,
    )


def test_reading_resumes_behind_a_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(elasticsearch, "PAGE_DOCUMENTS", 2)
    source = index_range([trade(number) for number in range(5)])
    first, *rest = source.chunks()
    assert rows(list(source.chunks(first.cursor))) == rows(rest)


def test_what_the_detector_would_reject_is_rejected_with_the_reason() -> None:
    (chunk,) = index_range([trade(1), trade(2, side="X"), trade(3, price=1e12)]).chunks()
    assert chunk.trades["line"].to_list() == [1]
    assert [row.line for row in chunk.rejected] == [2, 3]
    assert "side" in chunk.rejected[0].reason
    assert chunk.rejected[1].reason == "the price is out of range (1000000000000.0)"
    assert orjson.loads(chunk.rejected[0].raw)["side"] == "X"


def test_a_range_without_trades_is_reported() -> None:
    with pytest.raises(
        TapewatchError, match="No indexed trades for NVDA from 2024-12-02T00:00:00Z to 2024-12-03"
    ):
        index_range([])


def test_the_range_is_its_identity() -> None:
    documents = [trade(1)]
    same, other = (index_range(documents), index_range([trade(2)]))
    assert same.identity == other.identity
    assert len(bytes.fromhex(same.identity)) == 32
