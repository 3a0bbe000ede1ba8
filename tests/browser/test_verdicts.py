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
from services.contracts.indices import CASES_INDEX, VERDICTS_INDEX
from services.review import verdicts
from services.review.verdicts import (
    WITHDRAWN,
    Decision,
    Verdict,
    count_verdicts,
    history_of,
    record,
    verdicts_of,
    withdraw,
)

NOON = dt.datetime(2039, 12, 6, 12, 0, 0, 123_000, dt.UTC)


def anomaly(trade_id: str, minute: int = 0) -> dict[str, str]:
    time = f"2039-12-05T15:{minute:02}:00.123456789Z"
    return {"trade_id": trade_id, "symbol": "LOOK", "@timestamp": time}


@pytest.fixture
def client(stack: EmbeddedStack) -> Iterator[Elasticsearch]:
    with open_client(stack.elasticsearch_url) as opened:
        set_up_templates(opened)
        opened.indices.delete(index=[VERDICTS_INDEX, CASES_INDEX], ignore_unavailable=True)
        yield opened
        opened.indices.delete(index=[VERDICTS_INDEX, CASES_INDEX], ignore_unavailable=True)


def test_new_cluster_has_no_verdict(client: Elasticsearch) -> None:
    assert verdicts_of(client, ["a", "b"]) == {}
    assert verdicts_of(client, []) == {}
    assert count_verdicts(client) == 0
    withdraw(client, "a", "Kim")
    assert export_labels(client, print).decode().split() == [",".join(LABEL_COLUMNS)]


def test_a_verdict_is_stored_immediately_as_it_was_given(client: Elasticsearch) -> None:
    assert record(client, anomaly("a"), Decision.CONFIRMED, " fat finger ", "Kim", NOON) is None
    expected = Verdict("a", "confirmed", "fat finger", "Kim", NOON)
    assert verdicts_of(client, ["a", "b"]) == {"a": expected}
    assert count_verdicts(client) == 1


def test_the_latest_verdict_counts_and_names_the_one_it_replaced(client: Elasticsearch) -> None:
    record(client, anomaly("a"), Decision.CONFIRMED, "", "Kim", NOON)
    replaced = record(client, anomaly("a"), Decision.FALSE_ALARM, "an auction", "Lee")
    assert replaced == Verdict("a", "confirmed", "", "Kim", NOON)
    assert verdicts_of(client, ["a"])["a"].recorded_by == "Lee"


def test_concurrent_verdict_is_reported_too(client: Elasticsearch, monkeypatch: pytest.MonkeyPatch) -> None:
    read = verdicts._newest
    others = iter(["Lee"])

    def read_and_be_overtaken(client: Elasticsearch, trade_id: str) -> dict[str, object] | None:
        current = read(client, trade_id)
        if name := next(others, None):
            record(client, anomaly(trade_id), Decision.FALSE_ALARM, "", name)
        return current

    monkeypatch.setattr(verdicts, "_newest", read_and_be_overtaken)
    replaced = record(client, anomaly("a"), Decision.CONFIRMED, "", "Kim")
    assert replaced is not None
    assert replaced.recorded_by == "Lee"
    assert verdicts_of(client, ["a"])["a"].recorded_by == "Kim"
    assert [one.recorded_by for one in history_of(client, "a")] == ["Lee", "Kim"]


def test_a_withdrawn_verdict_counts_no_more_and_stays_in_the_history(client: Elasticsearch) -> None:
    record(client, anomaly("a"), Decision.CONFIRMED, "fat finger", "Kim")
    withdraw(client, "a", "Lee", "an auction", signed_in=True)
    withdraw(client, "a", "Lee")
    assert verdicts_of(client, ["a"]) == {}
    assert count_verdicts(client) == 0
    assert [
        (one.verdict, one.comment, one.recorded_by, one.signed_in) for one in history_of(client, "a")
    ] == [
        ("confirmed", "fat finger", "Kim", False),
        (WITHDRAWN, "an auction", "Lee", True),
    ]
    assert record(client, anomaly("a"), Decision.FALSE_ALARM, "", "Kim") is None
    assert verdicts_of(client, ["a"])["a"].verdict == "false alarm"
    assert count_verdicts(client) == 1


def test_verdicts_of_before_they_had_a_history_count_until_there_is_a_newer_one(
    client: Elasticsearch,
) -> None:
    old = anomaly("a") | {
        "verdict": "confirmed",
        "recorded_at": "2039-12-06T12:00:00.123Z",
        "recorded_by": "Kim",
    }
    client.index(index=VERDICTS_INDEX, id="a", document=old, refresh=True)
    assert verdicts_of(client, ["a"]) == {"a": Verdict("a", "confirmed", "", "Kim", NOON)}
    assert count_verdicts(client) == 1
    replaced = record(client, anomaly("a"), Decision.FALSE_ALARM, "", "Lee")
    assert replaced == Verdict("a", "confirmed", "", "Kim", NOON)
    assert verdicts_of(client, ["a"])["a"].recorded_by == "Lee"
    assert count_verdicts(client) == 1
    withdraw(client, "a", "Lee")
    assert [one.verdict for one in history_of(client, "a")] == ["confirmed", "false alarm", WITHDRAWN]
    assert client.get(index=VERDICTS_INDEX, id="a")["_source"] == old


def test_the_longest_trade_id_has_verdicts_too(client: Elasticsearch) -> None:
    trade_id = "x" * 512
    record(client, anomaly(trade_id), Decision.CONFIRMED, "", "Kim")
    record(client, anomaly(trade_id), Decision.FALSE_ALARM, "", "Kim")
    assert verdicts_of(client, [trade_id])[trade_id].verdict == "false alarm"


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
        "alert_id": "",
    }
    assert told[-1] == 3


def test_labels_are_the_newest_verdicts_wherever_the_pages_of_the_history_end(
    client: Elasticsearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, minute in (("a", 1), ("b", 1), ("c", 2)):
        record(client, anomaly(name, minute), Decision.CONFIRMED, "", "Kim")
        record(client, anomaly(name, minute), Decision.FALSE_ALARM, "", "Kim")
    withdraw(client, "b", "Kim")
    for page_rows in (1, 2, 3, 7, 100):
        monkeypatch.setattr("services.common.elastic.paging.PAGE_ROWS", page_rows)
        read = [one for page in verdicts.read_verdicts(client, 10) for one in page]
        assert [(one["trade_id"], one["verdict"]) for one in read] == [
            ("a", "false alarm"),
            ("c", "false alarm"),
        ]
    assert sum(len(page) for page in verdicts.read_verdicts(client, 1)) == 1
