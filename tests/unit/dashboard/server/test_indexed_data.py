import datetime as dt
from typing import Any

import pytest

from dashboard.server import indexed_data
from dashboard.server.indexed_data import Documents, IndexedData, find_indexed_data

NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)


def found(monkeypatch: pytest.MonkeyPatch, **answers: dict[str, Any]) -> IndexedData:
    """Return the result for the given answers of Elasticsearch, by index name."""
    monkeypatch.setattr(indexed_data, "search", lambda _client, index, **_: answers[index.rstrip("-*")])
    client: Any = None
    return find_indexed_data(client)


def answer(count: int, **seconds_after_noon: float | None) -> dict[str, Any]:
    ms = {name: {"value": s and (NOON.timestamp() + s) * 1000} for name, s in seconds_after_noon.items()}
    return {"hits": {"total": {"value": count}}, "aggregations": ms}


def test_documents_are_counted_with_their_newest_times(monkeypatch: pytest.MonkeyPatch) -> None:
    trades, anomalies = answer(7, newest=5.0), answer(2, newest=3.0, detected=9.0)
    assert found(monkeypatch, trades=trades, anomalies=anomalies) == IndexedData(
        Documents(7, NOON + dt.timedelta(seconds=5)),
        Documents(2, NOON + dt.timedelta(seconds=3)),
        NOON + dt.timedelta(seconds=9),
    )


def test_without_documents_or_indices_no_time_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    no_index = {"hits": {"total": {"value": 0}}}
    nothing = IndexedData(Documents(0, None), Documents(0, None), None)
    assert found(monkeypatch, trades=answer(0, newest=None), anomalies=no_index) == nothing
