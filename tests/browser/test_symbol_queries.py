"""The queries against real Elasticsearch: every number equals a plain recount."""

import datetime as dt
from collections import Counter
from collections.abc import Iterator

import pytest

from dashboard.pages.symbol import queries, vwap
from dashboard.server import indexed_data, sessions
from dashboard.server.elastic import open_client
from dashboard.ui.palette import SIDES
from dashboard.ui.time_ranges import MAX_CANDLES, Period, TimeRange
from infra.embedded.stack import EmbeddedStack
from services.common.elastic.client import Elasticsearch
from services.common.errors import TapewatchError
from services.contracts.anomaly import Severity
from tests.browser.tape import DAY, EVIL, FIRST_DAY, MAIN, OPEN, QUIET, Document, anomalies_of, time_of
from tests.narrow import moment

RANGE = TimeRange(OPEN + dt.timedelta(hours=1), OPEN + dt.timedelta(hours=4, minutes=30))


@pytest.fixture
def client(stack: EmbeddedStack, tape: list[Document]) -> Iterator[Elasticsearch]:
    with open_client(stack.elasticsearch_url) as opened:
        yield opened


def in_range(tape: list[Document]) -> list[Document]:
    return [trade for trade in tape if trade["symbol"] == MAIN and RANGE.start <= time_of(trade) < RANGE.end]


def test_sessions_are_days_at_the_exchange(client: Elasticsearch) -> None:
    # Trades after midnight UTC belong to the day before: there is no session of 5 January.
    assert sessions.find_sessions(client)[:2] == [DAY, FIRST_DAY]


def test_a_period_has_its_symbols_and_times(client: Elasticsearch, tape: list[Document]) -> None:
    summary = sessions.summarize_period(client, Period(DAY, DAY).time_range)
    assert summary is not None
    assert (summary.symbols, summary.most_anomalous) == ([MAIN, QUIET], MAIN)
    times = [time_of(trade) for trade in tape if trade["symbol"] != EVIL]
    assert abs(summary.first_trade - min(times)) < dt.timedelta(milliseconds=2)
    assert abs(summary.last_trade - max(times)) < dt.timedelta(milliseconds=2)


def test_period_without_trades_has_no_summary(client: Elasticsearch) -> None:
    long_ago = dt.date(1999, 1, 4)
    assert sessions.summarize_period(client, Period(long_ago, long_ago).time_range) is None


def test_trades_are_summed_as_a_recount_does(client: Elasticsearch, tape: list[Document]) -> None:
    summary = queries.summarize_trades(client, MAIN, RANGE)
    expected = in_range(tape)
    assert summary.trades == len(expected)
    assert summary.shares == sum(trade["size"] for trade in expected)
    for bucket in summary.buckets.itertuples():
        inside = [trade for trade in expected if moment(bucket.start) <= time_of(trade) < moment(bucket.end)]
        prices = [trade["price"] for trade in inside]
        newest = max(inside, key=lambda trade: (trade["@timestamp"], trade["sequence"]))
        assert (bucket.trades, bucket.low, bucket.high) == (len(inside), min(prices), max(prices))
        assert bucket.last == newest["price"]
        for side, column in SIDES.items():
            assert getattr(bucket, column) == sum(t["size"] for t in inside if t["side"] == side)


def test_candles_have_the_first_price_and_the_last(client: Elasticsearch, tape: list[Document]) -> None:
    buckets = queries.summarize_trades(client, MAIN, RANGE, candles=True).buckets
    assert len(buckets) <= MAX_CANDLES
    for bucket in buckets.itertuples():
        inside = [t for t in in_range(tape) if moment(bucket.start) <= time_of(t) < moment(bucket.end)]
        inside.sort(key=lambda trade: (trade["@timestamp"], trade["sequence"]))
        assert (bucket.first, bucket.last) == (inside[0]["price"], inside[-1]["price"])


def test_the_average_price_is_that_of_all_trades_since_the_session_began(
    client: Elasticsearch, tape: list[Document]
) -> None:
    width_s = queries.summarize_trades(client, MAIN, RANGE).bucket_s
    found = vwap.find_vwap(client, MAIN, Period(DAY, DAY).time_range, RANGE, width_s)
    trades = [trade for trade in tape if trade["symbol"] == MAIN]
    for row in found.itertuples():
        end = moment(row.start) + dt.timedelta(seconds=width_s)
        until = [trade for trade in trades if time_of(trade) < end]
        worth = sum(trade["price"] * trade["size"] for trade in until)
        assert row.vwap == pytest.approx(worth / sum(trade["size"] for trade in until), rel=1e-12)
    assert len(found) == len(queries.summarize_trades(client, MAIN, RANGE).buckets)


def test_the_newest_anomalies_are_listed_of_one_symbol_or_of_all(
    client: Elasticsearch, tape: list[Document]
) -> None:
    flagged = sorted((t for t in tape if "_anomaly" in t), key=lambda t: t["@timestamp"], reverse=True)
    everything = TimeRange(OPEN - dt.timedelta(days=2), OPEN + dt.timedelta(days=2))
    listed = queries.list_anomalies(client, MAIN, everything)
    assert listed.passing == 600
    of_main = [trade["trade_id"] for trade in flagged if trade["symbol"] == MAIN]
    assert listed.rows["trade_id"].tolist() == of_main[: queries.MAX_LISTED]
    high = queries.list_anomalies(client, None, everything, severities=[Severity.HIGH])
    assert high.passing == sum(trade["_anomaly"]["severity"] == Severity.HIGH for trade in flagged)
    assert EVIL not in listed.rows["symbol"].tolist()
    only_first_day = TimeRange(OPEN - dt.timedelta(days=2), OPEN - dt.timedelta(hours=12))
    assert queries.list_anomalies(client, None, only_first_day).rows["symbol"].tolist() == [EVIL]


def test_the_highest_scored_anomalies_are_listed_on_demand(
    client: Elasticsearch, tape: list[Document]
) -> None:
    listed = queries.list_anomalies(client, MAIN, RANGE, labels=["Z-Score"], by_score=True)
    expected = [a["score"] for a in anomalies_of(in_range(tape)) if a["anomalies"] == ["Z-Score"]]
    assert listed.rows["score"].tolist() == sorted(expected, reverse=True)[: queries.MAX_LISTED]
    assert listed.passing == len(expected)


def test_urgent_anomalies_are_counted_by_symbol(client: Elasticsearch, tape: list[Document]) -> None:
    counts = queries.count_urgent(client, [QUIET, MAIN, "NOSUCH"], RANGE)
    expected = sum(a["severity"] in (Severity.CRITICAL, Severity.HIGH) for a in anomalies_of(in_range(tape)))
    assert counts == {QUIET: 0, MAIN: expected, "NOSUCH": 0}
    assert queries.count_urgent(client, [], RANGE) == {}


def test_the_newest_events_are_those_of_a_recount(client: Elasticsearch, tape: list[Document]) -> None:
    indexed = indexed_data.find_indexed_data(client)
    assert indexed.trades.newest is not None
    assert indexed.anomalies.newest is not None
    assert abs(indexed.trades.newest - max(map(time_of, tape))) < dt.timedelta(milliseconds=2)
    flagged = [time_of(trade) for trade in tape if "_anomaly" in trade]
    assert abs(indexed.anomalies.newest - max(flagged)) < dt.timedelta(milliseconds=2)
    assert indexed.trades.count == client.count(index="trades-*")["count"]


def test_anomalies_are_counted_whatever_the_filter(client: Elasticsearch, tape: list[Document]) -> None:
    found = queries.find_anomalies(client, MAIN, RANGE, severities=[Severity.CRITICAL, Severity.HIGH])
    expected = anomalies_of(in_range(tape))
    assert found.by_severity == Counter(anomaly["severity"] for anomaly in expected)
    assert found.by_label == Counter(anomaly["anomalies"][0] for anomaly in expected)
    assert found.chosen_by_severity.keys() == {Severity.CRITICAL, Severity.HIGH}
    assert sum(found.chosen_by_severity.values()) == found.chosen
    urgent = [a["score"] for a in expected if a["severity"] in (Severity.CRITICAL, Severity.HIGH)]
    assert found.chosen == len(urgent)
    assert found.rows["score"].tolist() == sorted(urgent, reverse=True)


def test_the_rows_are_the_highest_scored_and_bounded(client: Elasticsearch, tape: list[Document]) -> None:
    found = queries.find_anomalies(client, MAIN, Period(DAY, DAY).time_range)
    scores = sorted((anomaly["score"] for anomaly in anomalies_of(tape[:4000])), reverse=True)
    assert found.chosen == len(scores) == 600
    assert (found.chosen_by_severity, found.chosen_by_label) == (found.by_severity, found.by_label)
    assert found.rows["score"].tolist() == scores[: queries.MAX_ANOMALIES]


def test_a_symbol_cannot_change_the_query(client: Elasticsearch) -> None:
    for symbol in ("*", "MAIN OR QUIET", '"}}]}}', "NOSUCH"):
        assert queries.summarize_trades(client, symbol, RANGE).trades == 0
        assert queries.find_anomalies(client, symbol, RANGE).rows.empty


def test_without_an_index_there_is_nothing(client: Elasticsearch, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (queries, sessions, indexed_data):
        monkeypatch.setattr(module, "TRADES_INDICES", "no-such-index-*")
        monkeypatch.setattr(module, "ANOMALIES_INDICES", "no-such-index-*")
    assert sessions.find_sessions(client) == []
    assert sessions.summarize_period(client, RANGE) is None
    assert queries.summarize_trades(client, MAIN, RANGE).trades == 0
    assert queries.find_anomalies(client, MAIN, RANGE).by_severity == {}
    assert queries.list_anomalies(client, None, RANGE).rows.empty
    assert queries.count_urgent(client, [MAIN], RANGE) == {MAIN: 0}
    nothing = indexed_data.Documents(0, None)
    assert indexed_data.find_indexed_data(client) == indexed_data.IndexedData(nothing, nothing, None)


def test_rejected_query_is_an_error(client: Elasticsearch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "MAX_ANOMALIES", 1_000_000)
    with pytest.raises(TapewatchError, match="rejected a query with status 400: Result window is too large"):
        queries.find_anomalies(client, MAIN, RANGE)
