"""The overview's queries against real Elasticsearch: numbers equal a plain recount, and stay bounded."""

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from dashboard.pages.overview.incidents import Sighting
from dashboard.pages.overview.queries import (
    MAX_LISTED,
    MAX_RANKED,
    find_prices,
    find_sightings,
    rank,
    summarize_anomalies,
)
from dashboard.pages.overview.state import SEVERITIES, View
from dashboard.pages.overview.watched import find_watched
from dashboard.server.elastic import open_client
from dashboard.ui.time_ranges import Period, TimeRange
from infra.embedded.stack import EmbeddedStack
from services.common.elastic.client import Elasticsearch
from tests.browser.many_symbols import DAY, Document, indexed, make_many
from tests.browser.tape import time_of

RANGE = Period(DAY, DAY).time_range
MANY = 500
FEW = 40


@pytest.fixture(scope="module")
def client(stack: EmbeddedStack) -> Iterator[Elasticsearch]:
    with open_client(stack.elasticsearch_url) as opened:
        yield opened.options(request_timeout=60)


@pytest.fixture(scope="module")
def trades(client: Elasticsearch) -> Iterator[list[Document]]:
    with indexed(client, make_many(MANY)) as documents:
        yield documents


def shown(trades: list[Document], *severities: str) -> list[Document]:
    """Return the trades whose anomalies have one of these severities; by default all but the natural ones."""
    wanted = severities or ("critical", "high", "medium", "low")
    return [t for t in trades if "_anomaly" in t and t["_anomaly"]["severity"] in wanted]


def ranked_by_recount(trades: list[Document]) -> list[tuple[str, Counter[str]]]:
    counts: dict[str, Counter[str]] = {}
    for trade in trades:
        counts.setdefault(trade["symbol"], Counter())[trade["_anomaly"]["severity"]] += 1
    by_severity = sorted(counts.items(), key=lambda one: ([-one[1][s] for s in SEVERITIES], one[0]))
    return by_severity[:MAX_RANKED]


def test_counts_ranking_newest_and_worst_equal_a_recount(
    client: Elasticsearch, trades: list[Document]
) -> None:
    found = summarize_anomalies(client, View(), RANGE)
    expected = shown(trades)
    assert found.by_severity == Counter(t["_anomaly"]["severity"] for t in trades if "_anomaly" in t)
    assert found.symbols == len({t["symbol"] for t in expected})
    assert found.ranked == [symbol for symbol, _ in ranked_by_recount(expected)]
    newest = sorted(expected, key=lambda t: t["@timestamp"], reverse=True)[:MAX_LISTED]
    assert found.newest["trade_id"].tolist() == [t["trade_id"] for t in newest]
    worst = sorted(
        expected, key=lambda t: (SEVERITIES.index(t["_anomaly"]["severity"]), -t["_anomaly"]["score"])
    )
    assert found.worst["trade_id"].tolist() == [t["trade_id"] for t in worst[:MAX_LISTED]]


def test_each_cell_of_the_heat_map_equals_a_recount(client: Elasticsearch, trades: list[Document]) -> None:
    found = summarize_anomalies(client, View(), RANGE)
    ranking = rank(client, View(), found.ranked, RANGE)
    assert list(ranking.by_severity.items()) == ranked_by_recount(shown(trades))
    expected = shown(trades)
    assert found.cells["count"].sum() == len(expected)
    for cell in [*found.cells.to_dict("records"), *ranking.cells.to_dict("records")]:
        inside = [
            t["_anomaly"]["severity"]
            for t in expected
            if cell["symbol"] in ("", t["symbol"]) and cell["start"] <= time_of(t) < cell["end"]
        ]
        assert {s: cell[s] for s in SEVERITIES if cell[s]} == Counter(inside)
        assert cell["count"] == len(inside) > 0
        assert cell["worst"] == min(inside, key=SEVERITIES.index)
    for row in ranking.last.to_dict("records"):
        of_symbol = [t for t in expected if t["symbol"] == row["symbol"]]
        assert row["trade_id"] == max(of_symbol, key=lambda t: t["@timestamp"])["trade_id"]


def test_filters_choose_what_is_counted(client: Elasticsearch, trades: list[Document]) -> None:
    label = shown(trades)[0]["_anomaly"]["anomalies"][0]
    found = summarize_anomalies(client, View(severities=("info",), labels=(label,)), RANGE)
    expected = [t for t in shown(trades, "info") if t["_anomaly"]["anomalies"] == [label]]
    assert found.cells["count"].sum() == len(expected)
    assert found.symbols == len({t["symbol"] for t in expected})


@pytest.mark.parametrize(("find", "is_found"), [("sym00", True), ("M007", True), ("*", False), ("?", False)])
def test_symbols_are_found_by_a_part_of_their_name(
    find: str, is_found: bool, client: Elasticsearch, trades: list[Document]
) -> None:
    found = summarize_anomalies(client, View(find=find), RANGE)
    named = [t for t in shown(trades) if find.casefold() in t["symbol"].casefold()]
    assert found.ranked == [symbol for symbol, _ in ranked_by_recount(named)]
    assert bool(found.ranked) == is_found
    assert found.cells["count"].sum() == len(shown(trades))


def test_prices_are_the_first_and_the_last_of_the_tape(client: Elasticsearch, trades: list[Document]) -> None:
    prices = find_prices(client, ["SYM000", "SYM499", "NOSUCH"], RANGE)
    assert set(prices) == {"SYM000", "SYM499"}
    for symbol, price in prices.items():
        of_symbol = sorted((t for t in trades if t["symbol"] == symbol), key=lambda t: t["@timestamp"])
        assert (price.first, price.last) == (of_symbol[0]["price"], of_symbol[-1]["price"])


def test_sightings_are_the_anomalies_of_the_tape(client: Elasticsearch, trades: list[Document]) -> None:
    found = find_sightings(client, View(), RANGE)
    expected = {(t["trade_id"], t["symbol"], t["_anomaly"]["severity"]) for t in shown(trades)}
    assert {(one.trade_id, one.symbol, one.severity) for one in found} == expected
    one = next(each for each in found if each.trade_id == shown(trades)[0]["trade_id"])
    assert one.at_ns % 1_000_000_000 == int(shown(trades)[0]["@timestamp"][20:29])
    assert isinstance(one, Sighting)


def test_watched_symbols_have_prices_counts_and_the_last_anomaly_of_the_tape(
    client: Elasticsearch, trades: list[Document]
) -> None:
    symbols = ["SYM007", "NOSUCH", "SYM003"]
    found = find_watched(client, View(), symbols, RANGE)
    assert [one.symbol for one in found] == symbols
    for one in found:
        traded = sorted((t for t in trades if t["symbol"] == one.symbol), key=lambda t: t["@timestamp"])
        flagged = [t for t in shown(trades) if t["symbol"] == one.symbol]
        assert one.by_severity == Counter(t["_anomaly"]["severity"] for t in flagged)
        assert sorted((m.price, m.severity) for m in one.marks) == sorted(
            (t["price"], t["_anomaly"]["severity"]) for t in flagged
        )
        if traded:
            assert (one.first, one.prices[-1][1]) == (traded[0]["price"], traded[-1]["price"])
        else:
            assert (one.first, one.prices) == (None, [])
        newest = max((t["@timestamp"], t["trade_id"]) for t in flagged)[1] if flagged else None
        assert (one.last and one.last["trade_id"]) == newest


def test_watched_symbols_can_be_looked_at_for_a_few_seconds(
    client: Elasticsearch, trades: list[Document]
) -> None:
    one = trades[0]
    time = dt.datetime.fromisoformat(one["@timestamp"])
    moment = TimeRange(time - dt.timedelta(seconds=1), time + dt.timedelta(seconds=1))
    (found,) = find_watched(client, View(), [one["symbol"]], moment)
    assert one["price"] in [price for _, price in found.prices]


def test_before_the_first_index_there_is_nothing(
    client: Elasticsearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.pages.overview.queries.ANOMALIES_INDICES", "no-such-index-*")
    monkeypatch.setattr("dashboard.pages.overview.queries.TRADES_INDICES", "no-such-index-*")
    found = summarize_anomalies(client, View(), RANGE)
    assert (found.by_severity, found.symbols, found.ranked) == ({}, 0, [])
    assert rank(client, View(), [], RANGE).by_severity == {}
    assert find_sightings(client, View(), RANGE) == []
    assert find_prices(client, ["A"], RANGE) == {}


def ask_all(client: Elasticsearch, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """Ask everything of the overview; returns the number of requests, and the bytes of their answers."""
    sizes: list[int] = []
    perform = type(client).perform_request

    def counted(self: Elasticsearch, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
        answer = perform(self, *arguments, **options)
        sizes.append(len(json.dumps(answer.body)))
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(type(client), "perform_request", counted)
        found = summarize_anomalies(client, View(), RANGE)
        assert len(found.ranked) == len(rank(client, View(), found.ranked, RANGE).by_severity) == MAX_RANKED
        find_prices(client, found.ranked, RANGE)
        find_watched(client, View(), ["SYM007"], RANGE)
    return len(sizes), sum(sizes)


def test_ten_times_the_symbols_cost_no_more_requests_and_no_larger_answers(
    client: Elasticsearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    costs = []
    for symbols in (FEW, MANY):
        with indexed(client, make_many(symbols, trades_each=12 * MANY // symbols)):
            costs.append(ask_all(client, monkeypatch))
    (few_requests, few_bytes), (many_requests, many_bytes) = costs
    # Two count the trades of days, which the dashboard's own client asks for once.
    assert many_requests == few_requests == 7
    assert many_bytes <= few_bytes
