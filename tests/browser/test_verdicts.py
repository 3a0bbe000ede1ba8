"""Verdicts in real Elasticsearch."""

import csv
import datetime as dt
import io
from collections.abc import Iterator

import pytest

from dashboard.pages.search.labels import LABEL_COLUMNS, export_labels
from dashboard.server.elastic import open_client
from infra.embedded.stack import EmbeddedStack
from infra.setup.templates import set_up_templates
from services.common.elastic.client import Elasticsearch
from services.common.errors import TapewatchError
from services.contracts.indices import VERDICTS_INDEX
from services.review import verdicts
from services.review.verdicts import Decision, Verdict, record, verdicts_of, withdraw

NOON = dt.datetime(2039, 12, 6, 12, 0, 0, 123_000, dt.UTC)


def anomaly(trade_id: str, minute: int = 0) -> dict[str, str]:
    time = f"2039-12-05T15:{minute:02}:00.123456789Z"
    return {"trade_id": trade_id, "symbol": "LOOK", "@timestamp": time}


@pytest.fixture
def client(stack: EmbeddedStack) -> Iterator[Elasticsearch]:
    with open_client(stack.elasticsearch_url) as opened:
        set_up_templates(opened)
        opened.indices.delete(index=VERDICTS_INDEX, ignore_unavailable=True)
        yield opened
        opened.indices.delete(index=VERDICTS_INDEX, ignore_unavailable=True)


def test_new_cluster_has_no_verdict(client: Elasticsearch) -> None:
    assert verdicts_of(client, ["a", "b"]) == {}
    assert verdicts_of(client, []) == {}
    assert verdicts.count_verdicts(client) == 0
    withdraw(client, "a")
    assert export_labels(client, print).decode().split() == [",".join(LABEL_COLUMNS)]


def test_a_verdict_is_stored_immediately_as_it_was_given(client: Elasticsearch) -> None:
    assert record(client, anomaly("a"), Decision.CONFIRMED, " fat finger ", "Kim", NOON) is None
    expected = Verdict("a", "confirmed", "fat finger", "Kim", NOON)
    assert verdicts_of(client, ["a", "b"]) == {"a": expected}
    assert verdicts.count_verdicts(client) == 1


def test_the_latest_verdict_counts_and_names_the_one_it_replaced(client: Elasticsearch) -> None:
    record(client, anomaly("a"), Decision.CONFIRMED, "", "Kim", NOON)
    replaced = record(client, anomaly("a"), Decision.FALSE_ALARM, "an auction", "Lee")
    assert replaced == Verdict("a", "confirmed", "", "Kim", NOON)
    assert verdicts_of(client, ["a"])["a"].recorded_by == "Lee"


def test_concurrent_verdict_is_reported_too(client: Elasticsearch, monkeypatch: pytest.MonkeyPatch) -> None:
    read = verdicts._get
    others = iter(["Lee"])

    def read_and_be_overtaken(client: Elasticsearch, trade_id: str) -> dict[str, object] | None:
        current = read(client, trade_id)
        if name := next(others, None):
            record(client, anomaly(trade_id), Decision.FALSE_ALARM, "", name)
        return current

    monkeypatch.setattr(verdicts, "_get", read_and_be_overtaken)
    replaced = record(client, anomaly("a"), Decision.CONFIRMED, "", "Kim")
    assert replaced is not None
    assert replaced.recorded_by == "Lee"
    assert verdicts_of(client, ["a"])["a"].recorded_by == "Kim"


def test_a_verdict_can_be_withdrawn(client: Elasticsearch) -> None:
    record(client, anomaly("a"), Decision.CONFIRMED, "", "Kim")
    withdraw(client, "a")
    assert verdicts_of(client, ["a"]) == {}


def test_verdict_without_a_name_is_rejected(client: Elasticsearch) -> None:
    with pytest.raises(TapewatchError, match="without a name"):
        record(client, anomaly("a"), Decision.CONFIRMED, "", "  ")


def test_labels_are_all_verdicts_by_time(client: Elasticsearch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.common.elastic.paging.PAGE_ROWS", 2)
    for minute in (3, 1, 2):
        record(client, anomaly(f"t{minute}", minute), Decision.FALSE_ALARM, '=1+1, "x"\nz', "Kim", NOON)
    told: list[int] = []
    content = export_labels(client, told.append)
    rows = list(csv.DictReader(io.StringIO(content.decode(), newline="")))
    assert [row["trade_id"] for row in rows] == ["t1", "t2", "t3"]
    assert rows[0] == {
        "trade_id": "t1",
        "verdict": "false alarm",
        "symbol": "LOOK",
        "@timestamp": "2039-12-05T15:01:00.123456789Z",
        "recorded_at": "2039-12-06T12:00:00.123Z",
        "recorded_by": "Kim",
        "comment": '\'=1+1, "x"\nz',
    }
    assert told == [2, 3]
