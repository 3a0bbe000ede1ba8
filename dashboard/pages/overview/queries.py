"""The overview's queries to Elasticsearch; the size of every answer is bounded."""

import datetime as dt
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from dashboard.server.anomaly_rows import SHOWN_FIELDS, passing, rows_of
from dashboard.server.elastic import aggregate, counts_of, during, search
from dashboard.ui.palette import SIDES
from dashboard.ui.time_ranges import MAX_BUCKETS, MAX_CANDLES, TimeRange, bucket_width_s
from services.common.elastic.client import Elasticsearch
from services.contracts.anomaly import Severity
from services.contracts.indices import ANOMALIES_INDICES, FEED_EVENTS_INDICES, TRADES_INDICES
from services.review.corrections import Standing, VenueCorrection, find_corrected

MAX_ANOMALIES = 500
"""Largest number of anomalies marked in the chart."""

MAX_LISTED = 100
"""Largest number of anomalies in the table."""

MAX_LABELS = 50

MAX_CROSSES = 500
"""Largest number of cancelled prints marked in the chart."""

MAX_FEED_EVENTS = 1_000
EVENTS_BEFORE = dt.timedelta(days=1)
"""A halt or an outage that began so long before the chart's beginning is still seen."""

MAX_SOURCES = 10
URGENT = (Severity.CRITICAL, Severity.HIGH)


@dataclass(frozen=True)
class TradeSummary:
    """The trades of one symbol in a time range."""

    trades: int
    shares: float
    bucket_s: int
    """Width of a bucket."""
    buckets: pd.DataFrame
    """A row for each bucket with trades, `MAX_BUCKETS` at most, in order of time: `start`, `end` (UTC),
    `trades`, `low`, `high`, `first` and `last` (price of the oldest and the newest trade), `buys`, `sells`,
    `no_side` (shares). Without candles, `first` is NaN."""
    sources: tuple[str, ...] = ()
    """Where the trades come from."""


@dataclass(frozen=True)
class AnomalySummary:
    """The anomalies of one symbol in a time range."""

    by_severity: dict[str, int]
    """Number of anomalies by severity, each counted once."""
    by_label: dict[str, int]
    """Number of anomalies by label; one with several labels is counted for each."""
    chosen: int
    """How many pass the filter."""
    rows: pd.DataFrame
    """The highest-scored of those chosen, highest first, `MAX_ANOMALIES` at most: `time` (UTC), `trade_id`,
    `symbol`, `price`, `size`, `side`, `severity`, `score`, `labels` (list), `label` (of the highest-scored
    detection), `message`."""


@dataclass(frozen=True)
class Cancelled:
    """The trades that venues took back, of all symbols, in a time range and after it."""

    corrections: dict[str, VenueCorrection]
    """By `trade_id`."""
    prints: pd.DataFrame
    """Those of one symbol in the time range, `MAX_CROSSES` at most: `time` (UTC), `trade_id`, `price`,
    `size`."""


@dataclass(frozen=True)
class AnomalyList:
    """The first of the anomalies that pass a filter."""

    passing: int
    """How many pass."""
    rows: pd.DataFrame
    """As in `AnomalySummary.rows`, in the order asked for, `MAX_LISTED` at most."""


def summarize_trades(
    client: Elasticsearch,
    symbol: str,
    time_range: TimeRange,
    candles: bool = False,
    hidden: Collection[str] = (),
) -> TradeSummary:
    """Return counts, prices and volumes by time.

    Parameters
    ----------
    client
        Elasticsearch client.
    symbol
        The symbol.
    time_range
        Time range of the events.
    candles
        Whether to add the first price of each bucket; there are then fewer buckets, at most `MAX_CANDLES`.
    hidden
        The `trade_id`s of trades that are left out.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    width_s = bucket_width_s(time_range, MAX_CANDLES if candles else MAX_BUCKETS)
    first = {"first": _price_of_one("asc")} if candles else {}
    answer = aggregate(
        client,
        TRADES_INDICES,
        [during(time_range), {"term": {"symbol": symbol}}, *_without(hidden)],
        {
            "sources": {"terms": {"field": "source", "size": MAX_SOURCES}},
            "buckets": {
                "date_histogram": {
                    "field": "@timestamp",
                    "fixed_interval": f"{width_s}s",
                    "min_doc_count": 1,
                },
                "aggs": {
                    "low": {"min": {"field": "price"}},
                    "high": {"max": {"field": "price"}},
                    **first,
                    "last": _price_of_one("desc"),
                    "sides": {
                        "terms": {"field": "side", "size": len(SIDES)},
                        "aggs": {"shares": {"sum": {"field": "size"}}},
                    },
                },
            },
        },
    )
    buckets = to_buckets(answer["buckets"]["buckets"] if answer else [], width_s)
    shares = float(buckets[list(SIDES.values())].to_numpy().sum())
    sources = tuple(counts_of(answer, "sources"))
    return TradeSummary(int(buckets["trades"].sum()), shares, width_s, buckets, sources)


def find_cancelled(client: Elasticsearch, symbol: str, time_range: TimeRange) -> Cancelled:
    """Return what venues took back.

    Parameters
    ----------
    client
        Elasticsearch client.
    symbol
        Of the prints.
    time_range
        Time range of the prints; a correction comes after its trade, however long.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    found = find_corrected(client, Standing.CANCELLED, since=time_range.start)
    columns = ["@timestamp", "trade_id", "price", "size"]
    sources: list[dict[str, Any]] = []
    if found:
        among = {"terms": {"trade_id": list(found)}}
        answer = search(
            client,
            TRADES_INDICES,
            query={"bool": {"filter": [during(time_range), {"term": {"symbol": symbol}}, among]}},
            sort=[{"@timestamp": "desc"}],
            size=MAX_CROSSES,
            track_total_hits=False,
            source_includes=columns,
        )
        sources = [hit["_source"] for hit in answer["hits"]["hits"]]
    prints = pd.DataFrame(sources, columns=columns).rename(columns={"@timestamp": "time"})
    prints["time"] = pd.to_datetime(prints["time"], format="ISO8601", utc=True)
    return Cancelled(found, prints)


def find_feed_events(client: Elasticsearch, symbol: str, time_range: TimeRange) -> list[dict[str, Any]]:
    """Return what happened to feeds as far as a symbol is concerned, in order of time.

    Parameters
    ----------
    client
        Elasticsearch client.
    symbol
        Events of it, and of whole feeds.
    time_range
        Time range; events of `EVENTS_BEFORE` it are returned, too. The newest `MAX_FEED_EVENTS` at most.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    concerned = [{"term": {"symbol": symbol}}, {"bool": {"must_not": [{"exists": {"field": "symbol"}}]}}]
    since = TimeRange(time_range.start - EVENTS_BEFORE, time_range.end)
    answer = search(
        client,
        FEED_EVENTS_INDICES,
        query={"bool": {"filter": [during(since)], "should": concerned, "minimum_should_match": 1}},
        sort=[{"@timestamp": {"order": "desc", "unmapped_type": "date_nanos"}}],
        size=MAX_FEED_EVENTS,
        track_total_hits=False,
    )
    return [hit["_source"] for hit in reversed(answer["hits"]["hits"])]


def _without(trade_ids: Collection[str]) -> list[dict[str, Any]]:
    """Leave these trades out."""
    return [{"bool": {"must_not": [{"terms": {"trade_id": list(trade_ids)}}]}}] if trade_ids else []


def find_anomalies(
    client: Elasticsearch,
    symbol: str,
    time_range: TimeRange,
    labels: Sequence[str] = (),
    severities: Sequence[str] = (),
    hidden: Collection[str] = (),
) -> AnomalySummary:
    """Return how many anomalies there are, and the highest-scored ones that pass the filter.

    Parameters
    ----------
    client
        Elasticsearch client.
    symbol
        The symbol.
    time_range
        Time range of the events.
    labels, severities
        An anomaly passes with any of the labels and any of the severities; empty for all.
    hidden
        The `trade_id`s of trades whose anomalies are left out.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    answer = search(
        client,
        ANOMALIES_INDICES,
        query={"bool": {"filter": [during(time_range), {"term": {"symbol": symbol}}, *_without(hidden)]}},
        aggs={
            "by_severity": {"terms": {"field": "severity", "size": MAX_LABELS}},
            "by_label": {"terms": {"field": "anomalies", "size": MAX_LABELS}},
        },
        # The counts above are of all, the rows of the chosen.
        post_filter={"bool": {"filter": passing(labels, severities)}},
        sort=[{"score": "desc"}, {"@timestamp": "desc"}, {"trade_id": "asc"}],
        size=MAX_ANOMALIES,
        track_total_hits=True,
        source_includes=SHOWN_FIELDS,
    )
    aggregations = answer.get("aggregations", {})
    return AnomalySummary(
        counts_of(aggregations, "by_severity"),
        counts_of(aggregations, "by_label"),
        answer["hits"]["total"]["value"],
        rows_of(answer),
    )


def list_anomalies(
    client: Elasticsearch,
    symbol: str | None,
    time_range: TimeRange,
    labels: Sequence[str] = (),
    severities: Sequence[str] = (),
    hidden: Collection[str] = (),
    by_score: bool = False,
) -> AnomalyList:
    """Return how many anomalies pass the filter, and the first of them.

    Parameters
    ----------
    client
        Elasticsearch client.
    symbol
        The symbol; None for all of them.
    time_range
        Time range of the events.
    labels, severities
        An anomaly passes with any of the labels and any of the severities; empty for all.
    hidden
        The `trade_id`s of trades whose anomalies are left out.
    by_score
        Whether to sort by score, highest first, instead of by time, newest first.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    of_symbol = [] if symbol is None else [{"term": {"symbol": symbol}}]
    answer = search(
        client,
        ANOMALIES_INDICES,
        query={
            "bool": {
                "filter": [
                    during(time_range),
                    *of_symbol,
                    *passing(labels, severities),
                    *_without(hidden),
                ]
            }
        },
        sort=[*([{"score": "desc"}] if by_score else []), {"@timestamp": "desc"}, {"trade_id": "asc"}],
        size=MAX_LISTED,
        track_total_hits=True,
        source_includes=SHOWN_FIELDS,
    )
    return AnomalyList(answer["hits"]["total"]["value"], rows_of(answer))


def count_urgent(client: Elasticsearch, symbols: Sequence[str], time_range: TimeRange) -> dict[str, int]:
    """Return how many critical or high anomalies each of these symbols has.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    if not symbols:
        return {}
    answer = aggregate(
        client,
        ANOMALIES_INDICES,
        [
            during(time_range),
            {"terms": {"symbol": list(symbols)}},
            {"terms": {"severity": [str(severity) for severity in URGENT]}},
        ],
        {"symbols": {"terms": {"field": "symbol", "size": len(symbols)}}},
    )
    counts = counts_of(answer, "symbols")
    return {symbol: counts.get(symbol, 0) for symbol in symbols}


def to_buckets(buckets: Sequence[dict[str, Any]], width_s: int) -> pd.DataFrame:
    """Lay an answer's buckets out as `TradeSummary.buckets`.

    Parameters
    ----------
    buckets
        Buckets of the date histogram, n of them, each with at least one trade.
    width_s
        Seconds.
    """
    rows = []
    for bucket in buckets:
        shares = {side["key"]: side["shares"]["value"] for side in bucket["sides"]["buckets"]}
        rows.append(
            {
                "start": bucket["key"],
                "trades": bucket["doc_count"],
                "low": bucket["low"]["value"],
                "high": bucket["high"]["value"],
                "first": _only_price(bucket["first"]) if "first" in bucket else math.nan,
                "last": _only_price(bucket["last"]),
                **{column: float(shares.get(side, 0)) for side, column in SIDES.items()},
            }
        )
    columns = ["start", "trades", "low", "high", "first", "last", *SIDES.values()]
    frame = pd.DataFrame(rows, columns=columns)
    frame["start"] = pd.to_datetime(frame["start"].astype("int64"), unit="ms", utc=True)
    frame.insert(1, "end", frame["start"] + pd.Timedelta(seconds=width_s))
    return frame


def _price_of_one(order: str) -> dict[str, Any]:
    """Ask for the price of a bucket's oldest (`asc`) or newest (`desc`) trade."""
    sequence = {"order": order, "unmapped_type": "long"}
    return {
        "top_hits": {
            "size": 1,
            "_source": False,
            "docvalue_fields": ["price"],
            "sort": [{"@timestamp": order}, {"sequence": sequence}],
        }
    }


def _only_price(answer: dict[str, Any]) -> float:
    (hit,) = answer["hits"]["hits"]
    return float(hit["fields"]["price"][0])
