"""What the watched symbols did: prices by time, anomalies, the last one; two requests for all of them."""

import datetime as dt
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from dashboard.pages.overview.state import SEVERITIES, View
from dashboard.server.anomaly_rows import SHOWN_FIELDS, passing, to_anomaly_rows
from dashboard.server.elastic import aggregate, by_time, counts_of, during, together
from dashboard.server.prices import only_price, price_of_one
from dashboard.server.sessions import same_trades
from dashboard.ui.time_ranges import TimeRange, bucket_width_s
from services.common.elastic.client import Elasticsearch
from services.contracts.indices import ANOMALIES_INDICES, TRADES_INDICES

MAX_POINTS = 60
"""Prices in a small chart."""

MAX_MARKS = 20
"""Anomalies marked in a small chart."""

Bucket = dict[str, Any]


@dataclass(frozen=True)
class Mark:
    """An anomaly in a small chart."""

    at_ms: float
    """Milliseconds since 1970."""
    price: float
    severity: str


@dataclass(frozen=True)
class Watched:
    """A watched symbol in a time range."""

    symbol: str
    prices: list[tuple[float, float]]
    """In order of time, `MAX_POINTS` at most: when a stretch of time with trades begins (ms since 1970), and
    the price of its last trade."""
    first: float | None
    """The first price of all; None without trades."""
    by_severity: dict[str, int]
    """Number of anomalies by severity, the most urgent first; those without any are left out."""
    marks: list[Mark]
    """The highest-scored anomalies, `MAX_MARKS` at most."""
    last: dict[str, Any] | None
    """The newest anomaly, a row as `to_anomaly_rows` lays it out."""


def find_watched(
    client: Elasticsearch, view: View, symbols: Sequence[str], time_range: TimeRange
) -> list[Watched]:
    """Return what each symbol did, in the order given.

    Parameters
    ----------
    client
        Elasticsearch client.
    view
        Its labels and severities choose the anomalies.
    symbols
        As many as can be watched.
    time_range
        Time range of the events.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    if not symbols:
        return []
    among = [during(time_range), {"terms": {"symbol": list(symbols)}}]
    by_symbol = {"field": "symbol", "size": len(symbols)}
    width_s = bucket_width_s(time_range, MAX_POINTS)
    over_time = {"date_histogram": by_time(width_s), "aggs": {"last": price_of_one("desc")}}
    highest = {"size": MAX_MARKS, "sort": [{"score": "desc"}], "_source": ["@timestamp", "price", "severity"]}
    newest = {
        "size": 1,
        "sort": [{"@timestamp": "desc"}, {"trade_id": "asc"}],
        "_source": list(SHOWN_FIELDS),
    }
    anomaly_aggs = {
        "by_severity": {"terms": {"field": "severity", "size": len(SEVERITIES)}},
        "highest": {"top_hits": highest},
        "newest": {"top_hits": newest},
    }
    trade_aggs = {"over_time": over_time, "first": price_of_one("asc")}
    traded, flagged = together(
        partial(
            aggregate,
            client,
            TRADES_INDICES,
            among,
            {"symbols": {"terms": by_symbol, "aggs": trade_aggs}},
            same_trades(client, time_range),
        ),
        partial(
            aggregate,
            client,
            ANOMALIES_INDICES,
            [*among, *passing(view.labels, view.shown)],
            {"symbols": {"terms": by_symbol, "aggs": anomaly_aggs}},
        ),
    )
    trades, anomalies = ({one["key"]: one for one in _buckets(answer)} for answer in (traded, flagged))
    newest_rows = to_anomaly_rows([_sources(one["newest"])[0] for one in anomalies.values()])
    last = {row["symbol"]: row for row in newest_rows.to_dict("records")}
    return [
        _to_watched(symbol, trades.get(symbol), anomalies.get(symbol), last.get(symbol)) for symbol in symbols
    ]


def _to_watched(
    symbol: str, traded: Bucket | None, flagged: Bucket | None, last: dict[Hashable, Any] | None
) -> Watched:
    counts = counts_of(flagged or {}, "by_severity")
    return Watched(
        symbol,
        [(one["key"], only_price(one["last"])) for one in traded["over_time"]["buckets"]] if traded else [],
        only_price(traded["first"]) if traded else None,
        {severity: counts[severity] for severity in SEVERITIES if severity in counts},
        [_to_mark(source) for source in _sources(flagged["highest"])] if flagged else [],
        None if last is None else {str(name): value for name, value in last.items()},
    )


def _to_mark(source: dict[str, Any]) -> Mark:
    time = dt.datetime.fromisoformat(source["@timestamp"])
    return Mark(time.timestamp() * 1000, source["price"], source["severity"])


def _buckets(answer: dict[str, Any]) -> list[Bucket]:
    buckets: list[Bucket] = answer["symbols"]["buckets"] if answer else []
    return buckets


def _sources(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return [hit["_source"] for hit in answer["hits"]["hits"]]
