"""The symbol page's queries to Elasticsearch; the size of every answer is bounded."""

import datetime as dt
import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from dashboard.server.anomaly_rows import SHOWN_FIELDS, passing, rows_of
from dashboard.server.elastic import aggregate, by_time, counts_of, during, search
from dashboard.server.prices import only_price, price_of_one
from dashboard.server.sessions import same_trades
from dashboard.ui.palette import SIDES
from dashboard.ui.prices import PriceRange
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

MAX_BEYOND = 100
"""Largest number of prints that are marked at the edge of the price axis."""

MAX_CROSSES = 500
"""Largest number of cancelled prints marked in the chart."""

MAX_FEED_EVENTS = 1_000
EVENTS_BEFORE = dt.timedelta(days=1)
"""A halt or an outage that began so long before the chart's beginning is still seen."""

MAX_SOURCES = 10

_PRINT_FIELDS = ("@timestamp", "trade_id", "price", "size")
_COUNTS: dict[str, Any] = {
    "by_severity": {"terms": {"field": "severity", "size": MAX_LABELS}},
    "by_label": {"terms": {"field": "anomalies", "size": MAX_LABELS}},
}
_SHARES_BY_SIDE: dict[str, Any] = {
    "terms": {"field": "side", "size": len(SIDES)},
    "aggs": {"shares": {"sum": {"field": "size"}}},
}

URGENT = (Severity.CRITICAL, Severity.HIGH)


@dataclass(frozen=True)
class TradeSummary:
    """The trades of one symbol in a time range."""

    trades: int
    shares: float
    bucket_s: float
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
    chosen_by_severity: dict[str, int]
    chosen_by_label: dict[str, int]
    """The same of those that pass the filter."""
    chosen: int
    """How many pass the filter."""
    rows: pd.DataFrame
    """The highest-scored of those chosen, highest first, `MAX_ANOMALIES` at most: `time` (UTC), `trade_id`,
    `symbol`, `price`, `size`, `side`, `severity`, `score`, `labels` (list), `label` (of the highest-scored
    detection), `message`, `last_trade` (`trade_id` of the last print of its stretch, or None) and `count` (of
    its prints)."""


@dataclass(frozen=True)
class Cancelled:
    """The trades that venues took back, of all symbols, in a time range and after it."""

    corrections: dict[str, VenueCorrection]
    """By `trade_id`."""
    prints: pd.DataFrame
    """Those of one symbol in the time range, `MAX_CROSSES` at most: `time` (UTC), `trade_id`, `price`,
    `size`."""


@dataclass(frozen=True)
class Beyond:
    """The prints whose prices are outside the market's range."""

    total: int
    lowest: float | None
    highest: float | None
    """The lowest and the highest price of all of them; None without any."""
    prints: pd.DataFrame
    """The first of them, as in `Cancelled.prints`, `MAX_BEYOND` at most."""


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
    first = {"first": price_of_one("asc")} if candles else {}
    answer = aggregate(
        client,
        TRADES_INDICES,
        [during(time_range), {"term": {"symbol": symbol}}, *without(hidden)],
        {
            "sources": {"terms": {"field": "source", "size": MAX_SOURCES}},
            "buckets": {
                "date_histogram": by_time(width_s),
                "aggs": {
                    "low": {"min": {"field": "price"}},
                    "high": {"max": {"field": "price"}},
                    **first,
                    "last": price_of_one("desc"),
                    "sides": _SHARES_BY_SIDE,
                },
            },
            # Few trades, or none: their sizes are counted elsewhere. To filter all others costs more.
            "counted_elsewhere": {
                "filter": {"term": {"volume_eligible": False}},
                "aggs": {"buckets": {"date_histogram": by_time(width_s), "aggs": {"sides": _SHARES_BY_SIDE}}},
            },
        },
        same_trades(client, time_range),
    )
    found, elsewhere = (
        (answer["buckets"]["buckets"], answer["counted_elsewhere"]["buckets"]["buckets"])
        if answer
        else ([], [])
    )
    buckets = to_buckets(found, width_s, elsewhere)
    shares = float(buckets[list(SIDES.values())].to_numpy().sum())
    sources = tuple(counts_of(answer, "sources"))
    return TradeSummary(int(buckets["trades"].sum()), shares, width_s, buckets, sources)


def find_beyond(
    client: Elasticsearch,
    symbol: str,
    time_range: TimeRange,
    market: PriceRange,
    hidden: Collection[str] = (),
) -> Beyond:
    """Return the prints whose prices are outside the market's range.

    Parameters
    ----------
    client
        Elasticsearch client.
    symbol
        The symbol.
    time_range
        Time range of the events.
    market
        The market's range.
    hidden
        The `trade_id`s of trades that are left out.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    outside = [{"range": {"price": {"lt": market.low}}}, {"range": {"price": {"gt": market.high}}}]
    answer = search(
        client,
        TRADES_INDICES,
        query={
            "bool": {
                "filter": [during(time_range), {"term": {"symbol": symbol}}, *without(hidden)],
                "should": outside,
                "minimum_should_match": 1,
            }
        },
        aggs={"lowest": {"min": {"field": "price"}}, "highest": {"max": {"field": "price"}}},
        sort=[{"@timestamp": "asc"}, {"trade_id": "asc"}],
        size=MAX_BEYOND,
        track_total_hits=True,
        source_includes=_PRINT_FIELDS,
        preference=same_trades(client, time_range),
    )
    prices = answer.get("aggregations", {})
    lowest, highest = (prices.get(name, {}).get("value") for name in ("lowest", "highest"))
    return Beyond(answer["hits"]["total"]["value"], lowest, highest, _prints_of(answer))


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
    prints = to_prints([])
    if found:
        among = {"terms": {"trade_id": list(found)}}
        answer = search(
            client,
            TRADES_INDICES,
            query={"bool": {"filter": [during(time_range), {"term": {"symbol": symbol}}, among]}},
            sort=[{"@timestamp": "desc"}],
            size=MAX_CROSSES,
            track_total_hits=False,
            source_includes=_PRINT_FIELDS,
        )
        prints = _prints_of(answer)
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


def _prints_of(answer: dict[str, Any]) -> pd.DataFrame:
    return to_prints([hit["_source"] for hit in answer["hits"]["hits"]])


def to_prints(sources: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Lay prints out as `Cancelled.prints`."""
    prints = pd.DataFrame(sources, columns=_PRINT_FIELDS).rename(columns={"@timestamp": "time"})
    prints["time"] = pd.to_datetime(prints["time"], format="ISO8601", utc=True)
    return prints.astype({"price": "float64", "size": "float64"})


def without(trade_ids: Collection[str]) -> list[dict[str, Any]]:
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
    filtered = {"bool": {"filter": passing(labels, severities)}}
    answer = search(
        client,
        ANOMALIES_INDICES,
        query={"bool": {"filter": [during(time_range), {"term": {"symbol": symbol}}, *without(hidden)]}},
        aggs=_COUNTS | ({"chosen": {"filter": filtered, "aggs": _COUNTS}} if labels or severities else {}),
        # The counts above are of all, the rows of the chosen.
        post_filter=filtered,
        sort=[{"score": "desc"}, {"@timestamp": "desc"}, {"trade_id": "asc"}],
        size=MAX_ANOMALIES,
        track_total_hits=True,
        source_includes=SHOWN_FIELDS,
    )
    aggregations = answer.get("aggregations", {})
    chosen = aggregations.get("chosen", aggregations)
    return AnomalySummary(
        counts_of(aggregations, "by_severity"),
        counts_of(aggregations, "by_label"),
        counts_of(chosen, "by_severity"),
        counts_of(chosen, "by_label"),
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
                    *without(hidden),
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


def to_buckets(
    buckets: Sequence[dict[str, Any]], width_s: float, elsewhere: Sequence[dict[str, Any]] = ()
) -> pd.DataFrame:
    """Lay an answer's buckets out as `TradeSummary.buckets`.

    Parameters
    ----------
    buckets
        Buckets of the date histogram, n of them, each with at least one trade.
    width_s
        Seconds.
    elsewhere
        Those of trades whose sizes are counted elsewhere, which are taken off.
    """
    counted_elsewhere = {bucket["key"]: _shares_of(bucket) for bucket in elsewhere}
    rows = []
    for bucket in buckets:
        shares = _shares_of(bucket)
        shares.subtract(counted_elsewhere.get(bucket["key"], {}))
        rows.append(
            {
                "start": bucket["key"],
                "trades": bucket["doc_count"],
                "low": bucket["low"]["value"],
                "high": bucket["high"]["value"],
                "first": only_price(bucket["first"]) if "first" in bucket else math.nan,
                "last": only_price(bucket["last"]),
                **{column: float(shares[side]) for side, column in SIDES.items()},
            }
        )
    columns = ["start", "trades", "low", "high", "first", "last", *SIDES.values()]
    frame = pd.DataFrame(rows, columns=columns)
    frame["start"] = pd.to_datetime(frame["start"].astype("int64"), unit="ms", utc=True)
    frame.insert(1, "end", frame["start"] + pd.Timedelta(milliseconds=round(1000 * width_s)))
    return frame


def _shares_of(bucket: dict[str, Any]) -> Counter[str]:
    return Counter({side["key"]: side["shares"]["value"] for side in bucket["sides"]["buckets"]})
