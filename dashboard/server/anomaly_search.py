"""The search: filters as a query, one page of what they find, and the symbols to choose from.

A page is addressed by the anomaly before or after it, not by its number: so the thousandth costs no more
than the first, and one that is shown stays what it was while new anomalies come in.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import pandas as pd

from dashboard.server.anomaly_rows import SHOWN_FIELDS, passing, rows_of
from dashboard.server.elastic import aggregate, counts_of, search
from dashboard.server.sessions import MAX_SYMBOLS
from services.common.elastic.client import Elasticsearch
from services.common.errors import TapewatchError
from services.contracts.anomaly import Severity
from services.contracts.indices import ANOMALIES_INDICES
from services.review.corrections import MAX_CORRECTIONS, Standing, find_corrected
from services.review.verdicts import Decision, judged_trades

PAGE_ROWS = 50
"""Rows of a page of the search."""

MAX_TEXT = 200
"""Characters of free text."""

MAX_VERDICTS = 10_000
"""Verdicts in the time searched, when they are filtered by: their ids become part of the query."""

NO_VERDICT = "none"
VERDICTS = (*Decision, NO_VERDICT)

NO_CORRECTION = "none"
STANDINGS = (*Standing, NO_CORRECTION)

_SEVERITIES = list(Severity)


@dataclass(frozen=True)
class Filters:
    """Filters of a search; one that is empty or None does not narrow it."""

    symbols: tuple[str, ...] = ()
    start: dt.datetime | None = None
    """UTC; included."""
    end: dt.datetime | None = None
    """UTC; not included."""
    labels: tuple[str, ...] = ()
    severities: tuple[str, ...] = ()
    min_score: float = 0.0
    max_score: float = 1.0
    verdicts: tuple[str, ...] = ()
    """Some of `VERDICTS`."""
    standings: tuple[str, ...] = ()
    """Some of `STANDINGS`: what the venue said of the trade afterwards."""
    text: str = ""
    """Words that the message must have, all of them; the last may be the beginning of one."""


class SortBy(StrEnum):
    """Fields that the table can be sorted by."""

    TIME = "time"
    SCORE = "score"
    SEVERITY = "severity"
    SYMBOL = "symbol"
    PRICE = "price"
    SIZE = "size"


@dataclass(frozen=True)
class Order:
    """Sort order of the table; ties are sorted by `trade_id`."""

    by: SortBy = SortBy.TIME
    is_descending: bool = True


class Side(StrEnum):
    """Position of a page among the results."""

    FIRST = "first"
    LAST = "last"
    AFTER = "after"
    BEFORE = "before"


@dataclass(frozen=True)
class Place:
    """The requested page."""

    side: Side = Side.FIRST
    trade_id: str = ""
    """The anomaly that the page comes after or before."""


@dataclass(frozen=True)
class ResultPage:
    """Some of the anomalies found."""

    rows: pd.DataFrame
    """As `to_anomaly_rows` lays them out, in the order asked for."""
    total: int
    """How many were found, on all pages."""
    skipped: int
    """How many stand before the first of the rows."""


def find_page(
    client: Elasticsearch, filters: Filters, order: Order, place: Place, page_rows: int
) -> ResultPage | None:
    """Return a page of what is found; None if the anomaly next to it does not exist (any more).

    Parameters
    ----------
    client
        Elasticsearch client.
    filters, order, place
        What, sorted how, and which page of it.
    page_rows
        1 or more.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer or rejects the request, or there are more than `MAX_VERDICTS` verdicts.
    """
    query = to_query(client, filters, order)
    is_backward = place.side in (Side.LAST, Side.BEFORE)
    after: list[Any] | None = None
    counted: dict[str, Any] = {}
    if place.side in (Side.AFTER, Side.BEFORE):
        after = _position(client, order, place.trade_id)
        if after is None:
            return None
        counted = {"before": {"filter": _preceding(order, after, place.side is Side.AFTER)}}
    answer = search(
        client,
        ANOMALIES_INDICES,
        query=query,
        sort=to_sort(order, is_backward),
        search_after=after,
        aggs=counted,
        size=page_rows,
        track_total_hits=True,
        source_includes=SHOWN_FIELDS,
    )
    hits = answer["hits"]["hits"]
    total = answer["hits"]["total"]["value"]
    # Without an index there are no aggregations.
    counted_before = answer.get("aggregations", {}).get("before", {}).get("doc_count", 0)
    if is_backward:
        hits.reverse()
    skipped = {
        Side.FIRST: 0,
        Side.LAST: total - len(hits),
        Side.AFTER: counted_before,
        Side.BEFORE: counted_before - len(hits),
    }[place.side]
    return ResultPage(rows_of(answer), total, skipped)


def find_symbols(client: Elasticsearch) -> list[str]:
    """Return the symbols with anomalies, in alphabetical order; the `MAX_SYMBOLS` with the most at most.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    by_symbol = {"symbols": {"terms": {"field": "symbol", "size": MAX_SYMBOLS}}}
    return sorted(counts_of(aggregate(client, ANOMALIES_INDICES, [], by_symbol), "symbols"))


def to_query(client: Elasticsearch, filters: Filters, order: Order | None = None) -> dict[str, Any]:
    """Return the filters as a query; asks for the verdicts and corrections where they are filtered by.

    Parameters
    ----------
    client
        Elasticsearch client.
    filters
        What is searched for.
    order
        How hits will be sorted: severities have no order of their own, so the query gives them one.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer or rejects the request, or there are more than `MAX_VERDICTS` verdicts
        or `MAX_CORRECTIONS` corrections.
    """
    found = [*_scope(filters), *passing(filters.labels, filters.severities)]
    if filters.min_score > 0 or filters.max_score < 1:
        found.append({"range": {"score": {"gte": filters.min_score, "lte": filters.max_score}}})
    if words := filters.text.strip()[:MAX_TEXT]:
        # A match query takes its text as words, whatever signs are in it.
        found.append({"match_bool_prefix": {"message": {"query": words, "operator": "and"}}})
    found += _with_verdicts(client, filters)
    found += _with_standings(client, filters)
    query: dict[str, Any] = {"bool": {"filter": found}}
    if order is not None and order.by is SortBy.SEVERITY:
        query["bool"]["should"] = [
            {"constant_score": {"filter": {"term": {"severity": severity}}, "boost": rank}}
            for rank, severity in enumerate(_SEVERITIES, start=1)
        ]
    return query


def to_sort(order: Order, is_backward: bool = False) -> list[dict[str, Any]]:
    """Return an order, or its reverse, as Elasticsearch takes it."""
    way = "desc" if order.is_descending != is_backward else "asc"
    tie = {"trade_id": {"order": "desc" if is_backward else "asc", "unmapped_type": "keyword"}}
    if order.by is SortBy.SEVERITY:
        return [{"_score": {"order": way}}, tie]
    if order.by is SortBy.TIME:
        # As text: as a number of JavaScript's kind a nanosecond would be lost.
        form = {"format": "strict_date_optional_time_nanos", "unmapped_type": "date_nanos"}
        return [{"@timestamp": {"order": way, **form}}, tie]
    by: dict[str, Any] = {"order": way, "unmapped_type": "keyword"}
    if order.by is SortBy.SIZE:
        # Indices of before sizes had decimals have whole numbers, which would not be sorted with the others.
        by |= {"unmapped_type": "double", "numeric_type": "double"}
    return [{order.by.value: by}, tie]


def _scope(filters: Filters) -> list[dict[str, Any]]:
    """Return the filters by symbol and time."""
    scope: list[dict[str, Any]] = []
    if filters.symbols:
        scope.append({"terms": {"symbol": list(filters.symbols)}})
    times = {"gte": filters.start, "lt": filters.end}
    if limits := {name: time.isoformat() for name, time in times.items() if time is not None}:
        scope.append({"range": {"@timestamp": limits}})
    return scope


def _with_verdicts(client: Elasticsearch, filters: Filters) -> list[dict[str, Any]]:
    chosen = filters.verdicts
    if not chosen or set(chosen) == set(VERDICTS):
        return []
    takes_unjudged = NO_VERDICT in chosen
    wanted = [one for one in Decision if (one in chosen) != takes_unjudged]
    ids = judged_trades(client, wanted, filters.symbols, filters.start, filters.end, MAX_VERDICTS)
    return [_among(ids, not takes_unjudged)]


def _with_standings(client: Elasticsearch, filters: Filters) -> list[dict[str, Any]]:
    chosen = filters.standings
    if not chosen or set(chosen) == set(STANDINGS):
        return []
    takes_others = NO_CORRECTION in chosen
    ids: list[str] = []
    for standing in Standing:
        if (standing in chosen) != takes_others:
            # A correction comes after its trade.
            found = find_corrected(client, standing, filters.symbols, filters.start)
            if len(found) >= MAX_CORRECTIONS:
                raise TapewatchError(
                    f"There are more than {MAX_CORRECTIONS:,} corrections in the time range searched.",
                    "Choose a later start or a symbol, or remove the filter by the venue's correction.",
                )
            ids += found
    return [_among(ids, not takes_others)]


def _among(ids: Sequence[str], is_wanted: bool) -> dict[str, Any]:
    """Match the anomalies of these trades, or all others."""
    among = {"terms": {"trade_id": list(ids)}}
    return among if is_wanted else {"bool": {"must_not": [among]}}


def _position(client: Elasticsearch, order: Order, trade_id: str) -> list[Any] | None:
    """Return the sort values of an anomaly, or None if the anomaly does not exist."""
    query = to_query(client, Filters(), order)
    query["bool"]["filter"].append({"term": {"trade_id": trade_id}})
    answer = search(
        client,
        ANOMALIES_INDICES,
        query=query,
        sort=to_sort(order),
        size=1,
        source=False,
    )
    hits = answer["hits"]["hits"]
    return hits[0]["sort"] if hits and None not in hits[0]["sort"] else None


def _preceding(order: Order, position: list[Any], with_itself: bool) -> dict[str, Any]:
    """Match the anomalies before a position, or also the one at the position."""
    value, trade_id = position
    if order.by is SortBy.SEVERITY:
        rank = round(value) - 1
        before = _SEVERITIES[rank + 1 :] if order.is_descending else _SEVERITIES[:rank]
        earlier: dict[str, Any] = {"terms": {"severity": before}}
        alike: dict[str, Any] = {"term": {"severity": _SEVERITIES[rank]}}
    else:
        field = "@timestamp" if order.by is SortBy.TIME else order.by.value
        earlier = {"range": {field: {"gt" if order.is_descending else "lt": value}}}
        alike = {"range": {field: {"gte": value, "lte": value}}}
    ties = {"range": {"trade_id": {"lte" if with_itself else "lt": trade_id}}}
    return {"bool": {"should": [earlier, {"bool": {"filter": [alike, ties]}}], "minimum_should_match": 1}}
