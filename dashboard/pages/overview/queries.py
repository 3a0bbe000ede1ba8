"""The overview's queries to Elasticsearch; the size of every answer is bounded, however many symbols."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from dashboard.pages.overview.incidents import Sighting
from dashboard.pages.overview.state import SEVERITIES, View
from dashboard.server.anomaly_rows import SHOWN_FIELDS, passing, rows_of, to_anomaly_rows
from dashboard.server.elastic import aggregate, by_time, counts_of, during, search
from dashboard.server.prices import only_price, price_of_one
from dashboard.server.sessions import same_trades
from dashboard.ui.time_ranges import TimeRange, bucket_width_s
from services.common.elastic.client import Elasticsearch
from services.contracts.indices import ANOMALIES_INDICES, TRADES_INDICES

MAX_RANKED = 30
"""Symbols that are ranked, each a lane of the heat map."""

MAX_COLUMNS = 80
"""Stretches of time that the heat map is cut into."""

MAX_LISTED = 6
"""Anomalies in each of the lists of the newest and of the worst."""

MAX_SIGHTINGS = 5_000
"""Anomalies among which incidents are looked for: the newest."""

MAX_CANDIDATES = 1_000
"""Symbols that each index proposes for the ranking. Of one index the ranking is exact; of several, in a time
range across the end of a month, a symbol that is in none of them among the first thousand is not ranked."""

_COUNTED_EXACTLY = 40_000
"""Number of symbols up to which their count is all but exact; the most that Elasticsearch can do."""

_NEWEST_FIRST = [{"@timestamp": "desc"}, {"trade_id": "asc"}]
_WORST_FIRST = [{"score": "desc"}, *_NEWEST_FIRST]


@dataclass(frozen=True)
class Anomalies:
    """The anomalies of all symbols in a time range."""

    by_severity: dict[str, int]
    """Number of anomalies by severity, those that are not shown included."""
    symbols: int
    """How many symbols have anomalies that are shown."""
    cells: pd.DataFrame
    """As `to_cells` returns them, of all symbols together, whose name is empty."""
    ranked: list[str]
    """Symbols: those with the most critical anomalies first, then by the high ones, and so on; `MAX_RANKED`
    at most."""
    newest: pd.DataFrame
    worst: pd.DataFrame
    """As `to_anomaly_rows` lays them out, `MAX_LISTED` at most; the worst by severity, then by score."""


@dataclass(frozen=True)
class Ranking:
    """The anomalies of the ranked symbols in a time range, the worst symbol first."""

    by_severity: dict[str, dict[str, int]]
    """By symbol: number of anomalies by severity, the most urgent first; those without any are left out."""
    cells: pd.DataFrame
    """As `to_cells` returns them."""
    last: pd.DataFrame
    """The newest anomaly of each symbol, in the order of the ranking, as `to_anomaly_rows` lays it out."""


@dataclass(frozen=True)
class Price:
    """Prices of a symbol in a time range."""

    first: float
    last: float

    @property
    def change(self) -> float:
        """From the first trade to the last, as a share of the first."""
        return self.last / self.first - 1 if self.first else 0.0


def summarize_anomalies(client: Elasticsearch, view: View, time_range: TimeRange) -> Anomalies:
    """Return counts by time, the ranking, the newest and the worst.

    Parameters
    ----------
    client
        Elasticsearch client.
    view
        Its labels and severities choose the anomalies, its `find` the symbols that are ranked.
    time_range
        Time range of the events.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    width_s = bucket_width_s(time_range, MAX_COLUMNS)
    shown = passing((), view.shown)
    answer = search(
        client,
        ANOMALIES_INDICES,
        query={"bool": {"filter": [during(time_range), *passing(view.labels, ())]}},
        aggs={
            "by_severity": _by_severity(),
            "shown": {
                "filter": {"bool": {"filter": shown}},
                "aggs": {
                    "symbols": {"cardinality": {"field": "symbol", "precision_threshold": _COUNTED_EXACTLY}},
                    "over_time": _over_time(width_s),
                    "worst": _worst(),
                    "found": {"filter": _named(view.find), "aggs": {"ranked": _ranked()}},
                },
            },
        },
        post_filter={"bool": {"filter": shown}},
        sort=_NEWEST_FIRST,
        size=MAX_LISTED,
        track_total_hits=False,
        source_includes=SHOWN_FIELDS,
    )
    found = answer.get("aggregations")
    if not found:
        return Anomalies({}, 0, to_cells({}, width_s), [], rows_of(answer), rows_of(answer))
    return Anomalies(
        counts_of(found, "by_severity"),
        found["shown"]["symbols"]["value"],
        to_cells({"": found["shown"]["over_time"]["buckets"]}, width_s),
        list(counts_of(found["shown"]["found"], "ranked")),
        rows_of(answer),
        _worst_of(found["shown"]["worst"]["buckets"]),
    )


def rank(client: Elasticsearch, view: View, symbols: Sequence[str], time_range: TimeRange) -> Ranking:
    """Return the anomalies of some symbols, as `Anomalies.ranked` has them, by time and by severity.

    Parameters
    ----------
    client
        Elasticsearch client.
    view
        Its labels and severities choose the anomalies.
    symbols
        `MAX_RANKED` at most; those without anomalies are left out.
    time_range
        Time range of the events.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    width_s = bucket_width_s(time_range, MAX_COLUMNS)
    newest = {"size": 1, "sort": _NEWEST_FIRST, "_source": list(SHOWN_FIELDS)}
    answer = aggregate(
        client,
        ANOMALIES_INDICES,
        [during(time_range), *passing(view.labels, view.shown), {"terms": {"symbol": list(symbols)}}],
        {
            "symbols": {
                "terms": {"field": "symbol", "size": MAX_RANKED},
                "aggs": {
                    "by_severity": _by_severity(),
                    "over_time": _over_time(width_s),
                    "newest": {"top_hits": newest},
                },
            }
        },
    )
    buckets = {bucket["key"]: bucket for bucket in (answer["symbols"]["buckets"] if answer else [])}
    counts = {symbol: counts_of(bucket, "by_severity") for symbol, bucket in buckets.items()}
    # By the counts of all indices, which the ranking of several does not have.
    ranked = sorted(buckets, key=lambda symbol: ([-counts[symbol].get(s, 0) for s in SEVERITIES], symbol))
    return Ranking(
        {symbol: {s: counts[symbol][s] for s in SEVERITIES if s in counts[symbol]} for symbol in ranked},
        to_cells({symbol: buckets[symbol]["over_time"]["buckets"] for symbol in ranked}, width_s),
        to_anomaly_rows([buckets[symbol]["newest"]["hits"]["hits"][0]["_source"] for symbol in ranked]),
    )


def find_sightings(client: Elasticsearch, view: View, time_range: TimeRange) -> list[Sighting]:
    """Return when the anomalies that are shown were, the newest `MAX_SIGHTINGS` at most, in any order.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    answer = search(
        client,
        ANOMALIES_INDICES,
        query={"bool": {"filter": [during(time_range), *passing(view.labels, view.shown)]}},
        sort=[{"@timestamp": "desc"}],
        size=MAX_SIGHTINGS,
        track_total_hits=False,
        source=False,
        docvalue_fields=["@timestamp", "trade_id", "symbol", "severity"],
        filter_path="hits.hits.fields",
    )
    fields = [hit["fields"] for hit in answer.get("hits", {}).get("hits", [])]
    times = pd.to_datetime([one["@timestamp"][0] for one in fields], format="ISO8601", utc=True)
    at_ns = times.as_unit("ns").asi8.tolist()
    return [
        Sighting(at, one["trade_id"][0], one["symbol"][0], one["severity"][0])
        for at, one in zip(at_ns, fields, strict=True)
    ]


def find_prices(client: Elasticsearch, symbols: Sequence[str], time_range: TimeRange) -> dict[str, Price]:
    """Return the first and the last price of each symbol that has trades.

    Parameters
    ----------
    client
        Elasticsearch client.
    symbols
        `MAX_RANKED` at most.
    time_range
        Time range of the trades.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    if not symbols:
        return {}
    answer = aggregate(
        client,
        TRADES_INDICES,
        [during(time_range), {"terms": {"symbol": list(symbols)}}],
        {
            "symbols": {
                "terms": {"field": "symbol", "size": len(symbols)},
                "aggs": {"first": price_of_one("asc"), "last": price_of_one("desc")},
            }
        },
        same_trades(client, time_range),
    )
    return {
        bucket["key"]: Price(only_price(bucket["first"]), only_price(bucket["last"]))
        for bucket in (answer["symbols"]["buckets"] if answer else [])
    }


def to_cells(lanes: dict[str, list[dict[str, Any]]], width_s: float) -> pd.DataFrame:
    """Lay an answer's stretches of time with anomalies out.

    Parameters
    ----------
    lanes
        By symbol: buckets of a date histogram, n in all.
    width_s
        Seconds.

    Returns
    -------
    pandas.DataFrame
        n rows in the order given: `symbol`, `start`, `end` (UTC), `count`, `worst` (severity), and a count
        for each of `SEVERITIES`.
    """
    rows = []
    for symbol, buckets in lanes.items():
        for bucket in buckets:
            counts = counts_of(bucket, "by_severity")
            worst = next((severity for severity in SEVERITIES if severity in counts), SEVERITIES[-1])
            by_severity = (counts.get(severity, 0) for severity in SEVERITIES)
            rows.append((symbol, bucket["key"], bucket["doc_count"], worst, *by_severity))
    frame = pd.DataFrame(rows, columns=["symbol", "start", "count", "worst", *SEVERITIES])
    frame["start"] = pd.to_datetime(frame["start"].astype("int64"), unit="ms", utc=True)
    frame.insert(2, "end", frame["start"] + pd.Timedelta(milliseconds=round(1000 * width_s)))
    return frame


def _by_severity() -> dict[str, Any]:
    return {"terms": {"field": "severity", "size": len(SEVERITIES)}}


def _over_time(width_s: float) -> dict[str, Any]:
    return {"date_histogram": by_time(width_s), "aggs": {"by_severity": _by_severity()}}


def _worst() -> dict[str, Any]:
    # The highest-scored of each severity, as severities have no order of their own in the index.
    highest = {"size": MAX_LISTED, "sort": _WORST_FIRST, "_source": list(SHOWN_FIELDS)}
    return {
        "filters": {"filters": {severity: {"term": {"severity": severity}} for severity in SEVERITIES}},
        "aggs": {"highest": {"top_hits": highest}},
    }


def _worst_of(buckets: dict[str, Any]) -> pd.DataFrame:
    hits = [hit for severity in SEVERITIES for hit in buckets[severity]["highest"]["hits"]["hits"]]
    return rows_of({"hits": {"hits": hits[:MAX_LISTED]}})


def _ranked() -> dict[str, Any]:
    return {
        "terms": {
            "field": "symbol",
            "size": MAX_RANKED,
            "shard_size": MAX_CANDIDATES,
            "order": [*({severity: "desc"} for severity in SEVERITIES), {"_key": "asc"}],
        },
        "aggs": {severity: {"filter": {"term": {"severity": severity}}} for severity in SEVERITIES},
    }


def _named(find: str) -> dict[str, Any]:
    """Match symbols with this text in their name, in small letters or capitals; an empty one matches all."""
    if not find:
        return {"match_all": {}}
    plain = "".join(f"\\{sign}" if sign in "\\*?" else sign for sign in find)
    return {"wildcard": {"symbol": {"value": f"*{plain}*", "case_insensitive": True}}}
