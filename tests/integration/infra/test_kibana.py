"""Runs the query of each panel, search and control against Elasticsearch; recounts the documents."""

import datetime as dt
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
from elasticsearch import Elasticsearch, helpers

from infra.embedded.stack import EmbeddedStack
from infra.kibana.asking.kql import EVERYTHING, Query, parse
from infra.kibana.asking.requests import SCORE_STEP, aggregations
from infra.kibana.objects.search import ROW_LINES
from infra.setup.templates import set_up_templates
from services.common.elastic.client import new_client
from services.contracts import alert
from services.contracts.correction import Correction, encode_correction
from services.contracts.feed_event import EventName, FeedEvent, encode_feed_event
from services.contracts.indices import ALERT_DELIVERIES_DATA_VIEW as DELIVERIES
from services.contracts.indices import ALERTS_DATA_VIEW as ALERTS
from services.contracts.indices import ANOMALIES_DATA_VIEW as ANOMALIES
from services.contracts.indices import CASES_DATA_VIEW as CASES
from services.contracts.indices import CORRECTIONS_DATA_VIEW as CORRECTIONS
from services.contracts.indices import FEED_EVENTS_DATA_VIEW as FEED_EVENTS
from services.contracts.indices import SILENCES_DATA_VIEW as SILENCES
from services.contracts.indices import TRADES_DATA_VIEW as TRADES
from services.contracts.indices import VERDICTS_DATA_VIEW as VERDICTS
from services.detector.offline.backtest.run import run_backtest
from services.sources.files import open_sources
from services.sources.synthetic.day import DayConfig, write_day
from tests.alerts import ALERT, DELIVERY, SILENCE
from tests.docs.pages import ROOT, rows
from tests.unit.infra.kibana.objects import (
    BY_KEY,
    CHARTS,
    DASHBOARDS,
    DATA_VIEWS,
    SEARCHES,
    Saved,
    controls,
    kql,
    layer,
    search_source,
    types,
    view_id,
)

INDICES = {
    TRADES: "trades-kibana-test",
    ANOMALIES: "anomalies-kibana-test",
    CORRECTIONS: "corrections-kibana-test",
    FEED_EVENTS: "feed-events-kibana-test",
    ALERTS: "alerts-kibana-test",
    DELIVERIES: "alert-deliveries-kibana-test",
    SILENCES: "silences",
    CASES: "cases",
    VERDICTS: "verdicts",
}
DAY = DayConfig().date
WITHIN = {"range": {"@timestamp": {"gte": f"{DAY}", "lt": f"{DAY + dt.timedelta(days=2)}"}}}
NEEDS_PAINLESS = {"tapewatch-delay"}
"""What the embedded Elasticsearch, which has no modules, cannot compute."""

PIXELS_OF_A_LETTER = 6.7
"""On average, in Kibana's font of 14 pixels."""

MANY = 10_000


@dataclass(frozen=True)
class Day:
    """A generated day, indexed."""

    client: Elasticsearch
    documents: dict[str, list[dict[str, Any]]]
    """By the data view that shows them."""


@pytest.fixture(scope="module")
def day(stack: EmbeddedStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    """A generated day of five symbols under the real templates, in indices that the data views have."""
    folder = tmp_path_factory.mktemp("kibana")
    path, output = folder / "day.csv", folder / "anomalies.ndjson"
    write_day(DayConfig(trades=30_000), path, folder / "labels.csv")
    run_backtest(open_sources([str(path)]), output, None)
    trades, anomalies = trades_of(path), [orjson.loads(line) for line in output.open("rb")]
    found = {TRADES: trades, ANOMALIES: anomalies, **told_of(trades, anomalies)}
    with new_client(stack.elasticsearch_url) as client:
        set_up_templates(client)
        actions = (
            {"_index": INDICES[view], "_id": f"kibana-{at}", "_source": one}
            for view, documents in found.items()
            for at, one in enumerate(documents)
        )
        helpers.bulk(client, actions, refresh=True)
        yield Day(client, found)
        # Other tests use the rest. The embedded Elasticsearch has no `_delete_by_query`.
        client.indices.delete(index=[index for index in INDICES.values() if "-" in index])
        others = [index for index in INDICES.values() if "-" not in index]
        found = client.search(index=others, query=WITHIN, size=1_000, source=False)["hits"]["hits"]
        helpers.bulk(
            client, [{"_op_type": "delete", "_index": one["_index"], "_id": one["_id"]} for one in found]
        )


def told_of(trades: list[dict[str, Any]], anomalies: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return what people are told of the day's anomalies, and what they and the venue say."""
    told = [one for one in anomalies if one["severity"] != "info"]
    states, outcomes = list(alert.AlertState), list(alert.Outcome)
    alerts = [
        msgspec.structs.replace(
            ALERT,
            timestamp=one["@timestamp"],
            alert_id=f"{at:032x}",
            state=states[at % len(states)],
            symbol=one["symbol"],
            labels=one["anomalies"],
            severity=one["severity"],
            score=one["score"],
            message=one["message"],
        )
        for at, one in enumerate(told)
    ]
    deliveries = [
        msgspec.structs.replace(
            DELIVERY,
            timestamp=one.timestamp,
            alert_id=one.alert_id,
            outcome=outcomes[at % len(outcomes)],
            symbol=one.symbol,
            severity=one.severity,
            seconds=0.01 * at,
        )
        for at, one in enumerate(alerts)
    ]
    entry = {"number": 1, "comment": "a block", "recorded_by": "ann", "signed_in": False}
    corrected = trades[:: len(trades) // 7]
    events: list[EventName] = ["connected", "gap_opened", "gap_lost", "halt", "resume"]
    return {
        ALERTS: [orjson.loads(alert.encode(one)) for one in alerts],
        DELIVERIES: [orjson.loads(alert.encode(one)) for one in deliveries],
        SILENCES: [
            orjson.loads(alert.encode(msgspec.structs.replace(SILENCE, timestamp=told[0]["@timestamp"])))
        ],
        VERDICTS: [
            entry
            | {name: one[name] for name in ("@timestamp", "trade_id", "symbol")}
            | {"verdict": ["confirmed", "false alarm"][at % 2], "recorded_at": "2026-03-03T09:00:00.000Z"}
            for at, one in enumerate(told[:9])
        ],
        CASES: [
            entry
            | {"@timestamp": one.timestamp, "alert_id": one.alert_id, "symbol": one.symbol}
            | {"action": "closed", "outcome": "confirmed", "recorded_at": "2026-03-03T09:00:00.000Z"}
            for one in alerts[:5]
        ],
        CORRECTIONS: [
            orjson.loads(
                encode_correction(
                    Correction(
                        one["@timestamp"],
                        f"c-{at}",
                        one["trade_id"],
                        one["symbol"],
                        "correct",
                        "test",
                        1.5,
                        2.0,
                    )
                )
            )
            for at, one in enumerate(corrected)
        ],
        FEED_EVENTS: [
            orjson.loads(
                encode_feed_event(
                    FeedEvent(
                        one["@timestamp"], "coinbase", events[at % 5], one["symbol"], 7, 9, 3, "A pause."
                    )
                )
            )
            for at, one in enumerate(corrected)
        ],
    }


def trades_of(path: Path) -> list[dict[str, Any]]:
    (source,) = open_sources([str(path)])
    return [orjson.loads(value) for chunk in source.chunks() for value in source.to_json(chunk.trades)]


def ids(one: Saved) -> str:
    return str(one["id"])


def ask(day: Day, view: str, query: Query = EVERYTHING, **request: Any) -> dict[str, Any]:
    """Run a search over the data of a panel, on the day."""
    conditions = [WITHIN, query.as_filter(types(view))]
    answer: dict[str, Any] = day.client.search(
        index=INDICES[view], query={"bool": {"filter": conditions}}, **request
    ).body
    return answer


def cells(found: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """Yield column and value of each cell of a chart."""
    for name, one in found.items():
        if name == "bucket":
            for bucket in one["buckets"]:
                yield from cells({k: v for k, v in bucket.items() if isinstance(v, dict)})
        elif not one["doc_count"]:
            continue
        elif "value" not in one:
            yield name, one["doc_count"]
        elif "hits" in one["value"]:
            yield name, next(iter(one["value"]["hits"]["hits"][0]["_source"].values()))
        elif "values" in one["value"]:
            yield name, one["value"]["values"][0]["value"]
        else:
            yield name, one["value"]["value"]


def test_data_views_have_the_indices(day: Day) -> None:
    for view in DATA_VIEWS:
        found = day.client.indices.resolve_index(name=view["attributes"]["title"])
        assert INDICES[view["id"]] in {one["name"] for one in found["indices"]}


@pytest.mark.parametrize("chart", [one for one in CHARTS if one["id"] not in NEEDS_PAINLESS], ids=ids)
def test_each_number_of_a_chart_is_there_and_right(day: Day, chart: Saved) -> None:
    view, columns = view_id(chart), layer(chart)["columns"]
    found = list(
        cells(ask(day, view, size=0, aggs=aggregations(chart, types(view_id(chart))))["aggregations"])
    )
    numbers = {name: [value for key, value in found if key == name] for name in columns}
    for name, column in columns.items():
        if column["isBucketed"]:
            continue
        query = kql(column.get("filter"))
        fitting = [one for one in day.documents[view] if query.fits(one)]
        assert numbers[name] or not fitting, f"{name} shows nothing"
        if fitting:
            assert_right(column, numbers[name], fitting, columns)


def test_few_charts_have_nothing_to_show_on_a_generated_day(day: Day) -> None:
    empty = {
        chart["id"]
        for chart in CHARTS
        if not any(
            kql(column.get("filter")).fits(one)
            for column in layer(chart)["columns"].values()
            if not column["isBucketed"]
            for one in day.documents[view_id(chart)]
        )
    }
    assert empty <= {"tapewatch-critical-count", "tapewatch-critical-alerts", "tapewatch-large-prints"}


def assert_right(
    column: dict[str, Any], shown: list[float], fitting: list[dict[str, Any]], columns: dict[str, Any]
) -> None:
    """Compare all cells of a column together with the documents that match it."""
    field = column["sourceField"]
    match column["operationType"]:
        case "count":
            # A document with several values of a field counts under each.
            several = [one["sourceField"] for one in columns.values() if one["sourceField"] == "anomalies"]
            weights = [len(one[several[0]]) if several else 1 for one in fitting]
            assert sum(shown) == sum(weights)
        case "sum":
            assert sum(shown) == sum(one[field] for one in fitting)
        case "min":
            assert min(shown) == min(one[field] for one in fitting)
        case "max":
            assert max(shown) == max(one[field] for one in fitting)
        case "last_value":
            assert set(shown) <= {one[field] for one in fitting}
        case "unique_count":
            assert max(shown) == len({one[field] for one in fitting})
        case "median" | "percentile":
            values = [one[field] for one in fitting]
            assert all(min(values) <= one <= max(values) for one in shown)
        case other:
            raise AssertionError(other)


def test_last_price_of_each_symbol_is_its_last_trade(day: Day) -> None:
    (chart,) = (one for one in CHARTS if one["id"] == "tapewatch-symbols")
    found = ask(day, TRADES, size=0, aggs=aggregations(chart, types(view_id(chart))))["aggregations"]
    last = {
        one["symbol"]: one["price"]
        for one in sorted(day.documents[TRADES], key=lambda one: one["@timestamp"])
    }
    assert len(last) == DayConfig().symbols
    shown = {
        bucket["key"]: bucket["last"]["value"]["hits"]["hits"][0]["_source"]["price"]
        for bucket in found["bucket"]["buckets"]
    }
    assert shown == last


@pytest.mark.parametrize("search", SEARCHES, ids=ids)
def test_search_finds_what_it_promises_in_its_order(day: Day, search: Saved) -> None:
    view, query = view_id(search), kql(search_source(search)["query"])
    ((field, direction),) = search["attributes"]["sort"]
    found = ask(day, view, query, size=MANY, sort=[{field: direction}], track_total_hits=True)["hits"]
    wanted = [one for one in day.documents[view] if query.fits(one)]
    assert found["total"]["value"] == len(wanted)
    assert wanted or search["id"] == "tapewatch-critical-anomalies"
    shown = [one["_source"][field] for one in found["hits"]]
    assert shown == sorted((one[field] for one in wanted), reverse=True)[:MANY]


@pytest.mark.parametrize("search", SEARCHES, ids=ids)
def test_columns_of_a_search_are_filled(day: Day, search: Saved) -> None:
    columns = search["attributes"]["columns"]
    found = ask(day, view_id(search), size=500, fields=columns)["hits"]["hits"]
    filled = {name for hit in found for name, values in hit["fields"].items() if values[0] != ""}
    assert set(columns) - filled <= {"conditions", "matcher.labels"}


def test_whole_sentences_fit_into_the_rows(day: Day) -> None:
    for search in SEARCHES:
        columns = search["attributes"]["grid"]["columns"]
        for field in columns.keys() & {"message"}:
            letters = ROW_LINES * columns[field]["width"] / PIXELS_OF_A_LETTER
            longest = max(len(one[field]) for one in day.documents[view_id(search)])
            assert longest <= letters, f"{longest} letters in {search['id']}"


def searches_worth_knowing() -> list[dict[str, str]]:
    text = (ROOT / "docs" / "kibana.md").read_text()
    return [row for row in rows(text) if "KQL" in row]


def test_ten_searches_are_described() -> None:
    assert len(searches_worth_knowing()) == 10


@pytest.mark.parametrize("row", searches_worth_knowing(), ids=lambda row: row["KQL"])
def test_a_search_worth_knowing_finds_what_it_says(day: Day, row: dict[str, str]) -> None:
    names = {one["attributes"]["name"].removeprefix("Tapewatch: "): one["id"] for one in DATA_VIEWS}
    view, query = names[row["data view"]], parse(row["KQL"].strip("`"))
    for condition in query.conditions():
        assert condition.field in types(view) or condition.field.startswith("features.")
    found = ask(day, view, query, size=0, track_total_hits=True)["hits"]["total"]["value"]
    assert found == len([one for one in day.documents[view] if query.fits(one)]) > 0


@pytest.mark.parametrize("dashboard", DASHBOARDS, ids=ids)
def test_controls_offer_all_there_is(day: Day, dashboard: Saved) -> None:
    for view, field in controls(dashboard):
        aggs = {"offered": {"terms": {"field": field, "size": 100}}}
        found = ask(day, view, size=0, aggs=aggs)["aggregations"]["offered"]["buckets"]
        values = (one[field] for one in day.documents[view])
        there = {one for value in values for one in (value if isinstance(value, list) else [value])}
        assert {bucket["key"] for bucket in found} == there


def test_anomalies_of_every_kind_of_mark_lie_within_the_prices(day: Day) -> None:
    _, marks = BY_KEY["lens", "tapewatch-price"]["attributes"]["state"]["visualization"]["layers"]
    queries = [parse(mark["filter"]["query"]) for mark in marks["annotations"]]
    found = sum(ask(day, ANOMALIES, query, size=0)["hits"]["total"]["value"] for query in queries)
    wanted = [one for one in day.documents[ANOMALIES] if one["severity"] in ("medium", "high", "critical")]
    assert found == len(wanted) > 0


def test_scores_fill_several_bars(day: Day) -> None:
    steps = {math.floor(one["score"] / SCORE_STEP) for one in day.documents[ANOMALIES]}
    assert len(steps) > 2
