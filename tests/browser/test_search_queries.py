"""The search against real Elasticsearch: results, order and pages equal a plain recount."""

import csv
import datetime as dt
import io
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow.parquet as pq
import pytest

from dashboard.pages.search import export as exports
from dashboard.pages.search.export import FileType, export
from dashboard.server import anomaly_search
from dashboard.server.anomaly_search import Filters, Order, Place, Side, SortBy, find_page
from dashboard.server.elastic import open_client
from infra.embedded.stack import EmbeddedStack
from services.common.elastic.client import Elasticsearch
from services.common.errors import TapewatchError
from services.contracts.anomaly import Severity
from services.contracts.detectors import DETECTORS
from services.review.verdicts import Decision, record
from tests.browser.tape import EVIL, MAIN, OPEN, Document, time_of

START = OPEN - dt.timedelta(days=2)
EVERYTHING = Filters(start=START)
"""Time range of the fixture's trades; other tests' anomalies are in earlier years."""


@pytest.fixture(scope="module")
def found(tape: list[Document]) -> list[Document]:
    """The fixture's anomalies with the fields of their trades."""
    return [trade | trade["_anomaly"] for trade in tape if "_anomaly" in trade]


@pytest.fixture(scope="module")
def judged(client: Elasticsearch, found: list[Document]) -> Iterator[dict[str, Decision]]:
    """Verdicts on every tenth anomaly, by `trade_id`."""
    given = {
        one["trade_id"]: (Decision.CONFIRMED if number % 20 else Decision.FALSE_ALARM)
        for number, one in enumerate(found)
        if number % 10 == 0
    }
    for one in found:
        if one["trade_id"] in given:
            record(client, one, given[one["trade_id"]], "=seen", "Kim")
    yield given
    client.indices.delete(index="verdicts", ignore_unavailable=True)


@pytest.fixture(scope="module")
def client(stack: EmbeddedStack, tape: list[Document]) -> Iterator[Elasticsearch]:
    with open_client(stack.elasticsearch_url) as opened:
        yield opened


def ids_found(client: Elasticsearch, filters: Filters) -> set[str]:
    page = find_page(client, filters, Order(), Place(), 1000)
    assert page is not None
    assert page.total == len(page.rows)
    return set(page.rows["trade_id"])


FILTERS: list[tuple[Filters, Callable[[Document], Any]]] = [
    (EVERYTHING, lambda _: True),
    (Filters(symbols=(MAIN,), start=START), lambda one: one["symbol"] == MAIN),
    (Filters(symbols=(MAIN, EVIL), start=START), lambda _: True),
    (
        Filters(start=OPEN + dt.timedelta(hours=1), end=OPEN + dt.timedelta(hours=2)),
        lambda one: dt.timedelta(hours=1) <= time_of(one) - OPEN < dt.timedelta(hours=2),
    ),
    (
        Filters(start=START, labels=(DETECTORS["z_score"].label,)),
        lambda one: DETECTORS["z_score"].label in one["anomalies"],
    ),
    (
        Filters(start=START, severities=(Severity.HIGH, Severity.CRITICAL)),
        lambda one: one["severity"] in ("high", "critical"),
    ),
    (Filters(start=START, min_score=0.3, max_score=0.6), lambda one: 0.3 <= one["score"] <= 0.6),
    (Filters(start=START, text="a MEDIUM one"), lambda one: "medium" in one["message"]),
    (Filters(start=START, text="med"), lambda one: "medium" in one["message"]),
    (Filters(start=START, text='onerror="document'), lambda one: "onerror" in one["message"]),
    (Filters(symbols=("*",), start=START), lambda _: False),
    (Filters(text='* OR message:"', start=START), lambda _: False),
]


@pytest.mark.parametrize(("filters", "fits"), FILTERS)
def test_a_filter_finds_what_a_recount_finds(
    client: Elasticsearch, found: list[Document], filters: Filters, fits: Callable[[Document], bool]
) -> None:
    assert ids_found(client, filters) == {one["trade_id"] for one in found if fits(one)}


@pytest.mark.parametrize(
    "chosen", [(Decision.CONFIRMED,), ("none",), ("none", Decision.FALSE_ALARM), anomaly_search.VERDICTS]
)
def test_verdicts_are_filtered_by(
    client: Elasticsearch, found: list[Document], judged: dict[str, Decision], chosen: tuple[str, ...]
) -> None:
    filters = Filters(start=START, symbols=(MAIN,), verdicts=chosen)
    assert ids_found(client, filters) == {
        one["trade_id"]
        for one in found
        if one["symbol"] == MAIN and judged.get(one["trade_id"], "none") in chosen
    }


def test_too_many_verdicts_are_an_error(
    client: Elasticsearch, judged: dict[str, Decision], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anomaly_search, "MAX_VERDICTS", 5)
    with pytest.raises(TapewatchError, match="more than 5 verdicts"):
        find_page(client, Filters(verdicts=("none",)), Order(), Place(), 10)


def sort_value(one: Document, by: SortBy) -> Any:  # noqa: ANN401
    if by is SortBy.TIME:
        return one["@timestamp"]
    return list(Severity).index(one["severity"]) if by is SortBy.SEVERITY else one[by]


@pytest.mark.parametrize("by", list(SortBy))
@pytest.mark.parametrize("is_descending", [True, False])
def test_the_pages_are_a_recount_cut_into_pieces(
    client: Elasticsearch, found: list[Document], by: SortBy, is_descending: bool
) -> None:
    in_order = sorted(found, key=lambda one: one["trade_id"])
    in_order.sort(key=lambda one: sort_value(one, by), reverse=is_descending)
    expected = [one["trade_id"] for one in in_order]
    order, place = Order(by, is_descending), Place()
    pages: list[list[str]] = []
    while page := find_page(client, EVERYTHING, order, place, 170):
        assert (page.total, page.skipped) == (len(expected), min(170 * len(pages), len(expected)))
        if page.rows.empty:
            break
        pages.append(page.rows["trade_id"].tolist())
        place = Place(Side.AFTER, pages[-1][-1])
    assert [trade_id for ids in pages for trade_id in ids] == expected
    before = find_page(client, EVERYTHING, order, Place(Side.BEFORE, expected[300]), 170)
    assert before is not None
    assert (before.skipped, before.rows["trade_id"].tolist()) == (130, expected[130:300])
    last = find_page(client, EVERYTHING, order, Place(Side.LAST), 170)
    assert last is not None
    assert (last.skipped, last.rows["trade_id"].tolist()) == (len(expected) - 170, expected[-170:])


def test_page_next_to_an_unknown_anomaly_is_not_found(client: Elasticsearch) -> None:
    assert find_page(client, EVERYTHING, Order(), Place(Side.AFTER, "nosuch"), 10) is None


def test_the_symbols_are_those_with_anomalies(client: Elasticsearch) -> None:
    assert {MAIN, EVIL} <= set(anomaly_search.find_symbols(client))


def test_without_an_index_nothing_is_found(client: Elasticsearch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anomaly_search, "ANOMALIES_INDICES", "no-such-index-*")
    monkeypatch.setattr(exports, "ANOMALIES_INDICES", "no-such-index-*")
    assert anomaly_search.find_symbols(client) == []
    for order in (Order(), Order(SortBy.SEVERITY), Order(SortBy.PRICE)):
        page = find_page(client, EVERYTHING, order, Place(Side.LAST), 10)
        assert page is not None
        assert (page.total, page.skipped) == (0, 0)
    assert export(client, EVERYTHING, Order(), FileType.CSV, print).count(b"\n") == 1


def test_both_kinds_of_file_have_every_row_in_order(
    client: Elasticsearch,
    found: list[Document],
    judged: dict[str, Decision],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.common.elastic.paging.PAGE_ROWS", 250)
    order, told = Order(SortBy.SCORE), list[int]()
    expected = sorted(found, key=lambda one: (-one["score"], one["trade_id"]))
    text = export(client, EVERYTHING, order, FileType.CSV, told.append).decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    table = pq.read_table(io.BytesIO(export(client, EVERYTHING, order, FileType.PARQUET, told.append)))
    assert told == [250, 500, 601] * 2
    assert [row["trade_id"] for row in rows] == [one["trade_id"] for one in expected]
    assert [row["message"] for row in rows] == [one["message"] for one in expected]
    assert [row["time"] for row in rows] == [one["@timestamp"] for one in expected]
    assert [float(row["score"]) for row in rows] == [one["score"] for one in expected]
    assert table.schema.equals(exports.SCHEMA)
    assert table["trade_id"].to_pylist() == [one["trade_id"] for one in expected]
    assert table["labels"].to_pylist() == [one["anomalies"] for one in expected]
    assert [time.nanosecond for time in table["time"].to_pandas()] == [123] * len(expected)
    verdicts = [judged.get(one["trade_id"]) for one in expected]
    assert table["verdict"].to_pylist() == verdicts
    assert [row["verdict"] or None for row in rows] == verdicts
    assert {row["comment"] for row in rows} == {"", "'=seen"}


def test_a_file_has_no_more_rows_than_stated(client: Elasticsearch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "MAX_ROWS", 3)
    assert export(client, EVERYTHING, Order(), FileType.CSV, print).count(b"\n") == 4
