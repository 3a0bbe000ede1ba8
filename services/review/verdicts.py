"""Analysts' verdicts on anomalies: a history in an index of their own, and labels for tuning and training.

A trade's current verdict is the newest that was recorded for it and not withdrawn; else that of the alert's
case which was closed with one. `record` returns the verdict that was replaced.
"""

import datetime as dt
import hashlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from services.common.elastic.client import Elasticsearch
from services.common.elastic.errors import explain_errors
from services.common.elastic.paging import read_pages
from services.common.errors import TapewatchError
from services.contracts.indices import ANOMALIES_INDICES, VERDICTS_INDEX
from services.review import cases
from services.review.case import Entry
from services.review.history import (
    MAX_COMMENT,
    Filter,
    Person,
    create_entry,
    newest_entries,
    to_text,
)

WITHDRAWN = "withdrawn"
"""In place of a verdict, in an entry that takes the one before back."""

LONGEST_ALERT = dt.timedelta(days=7)
"""An alert's trades are no later than that after its first one, as far as searches by time look."""

_ATTEMPTS = 5
"""Number of attempts when others write at the same moment, before it is an error."""


class Decision(StrEnum):
    """What an anomaly turned out to be."""

    CONFIRMED = "confirmed"
    FALSE_ALARM = "false alarm"


@dataclass(frozen=True)
class Verdict:
    """An analyst's verdict on an anomaly."""

    trade_id: str
    verdict: str
    """Normally a `Decision`; any text if another program wrote it; `WITHDRAWN` in a history."""
    comment: str
    recorded_by: str
    recorded_at: dt.datetime
    """UTC, to the millisecond."""
    signed_in: bool = False
    """Whether a sign-in has proven the name."""
    alert_id: str | None = None
    """The alert whose case was closed with it; None of a verdict on the anomaly itself."""
    blind: bool = False
    """Whether the person was not shown what the detectors say of the trade."""


def verdicts_of(client: Elasticsearch, trade_ids: Sequence[str]) -> dict[str, Verdict]:
    """Return the current verdicts on the given trades, by `trade_id`, without the trades that have none.

    Parameters
    ----------
    client
        Client of the cluster.
    trade_ids
        Ids of the trades, at most as many as a page shows.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    if not trade_ids:
        return {}
    by_cases = cases.judged_by_cases(client, trade_ids)
    filters = [{"terms": {"trade_id": list(trade_ids)}}]
    newest = newest_entries(client, VERDICTS_INDEX, "trade_id", filters)
    own = {source["trade_id"]: _to_verdict(source) for source in newest if source["verdict"] != WITHDRAWN}
    return {trade_id: _of_case(trade_id, entry) for trade_id, entry in by_cases.items()} | own


def blind_verdicts(client: Elasticsearch, trade_ids: Sequence[str]) -> dict[str, bool]:
    """Return which trades were judged blind, and whether they were found to be anomalies.

    Of a trade the newest such verdict counts, also where another that was not blind followed; but one whose
    verdict was withdrawn last is to be judged again.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    if not trade_ids:
        return {}
    own = [{"terms": {"trade_id": list(trade_ids)}}]
    newest = newest_entries(client, VERDICTS_INDEX, "trade_id", own)
    withdrawn = {one["trade_id"] for one in newest if one["verdict"] == WITHDRAWN}
    blind = newest_entries(client, VERDICTS_INDEX, "trade_id", [*own, {"term": {"blind": True}}])
    return {
        one["trade_id"]: one["verdict"] == Decision.CONFIRMED
        for one in blind
        if one["trade_id"] not in withdrawn
    }


def history_of(client: Elasticsearch, trade_id: str) -> list[Verdict]:
    """Return all that was recorded for a trade, the oldest first.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    query = {"term": {"trade_id": trade_id}}
    by_number = {"number": {"order": "asc", "missing": "_first", "unmapped_type": "long"}}
    pages = read_pages(client, VERDICTS_INDEX, query, [by_number], sys.maxsize)
    return [_to_verdict(hit["_source"]) for hits in pages for hit in hits]


def record(
    client: Elasticsearch,
    anomaly: dict[str, Any],
    verdict: Decision,
    comment: str,
    recorded_by: str,
    recorded_at: dt.datetime | None = None,
    signed_in: bool = False,
    blind: bool = False,
) -> Verdict | None:
    """Record a verdict on an anomaly, which counts instead of an earlier one.

    Parameters
    ----------
    client
        Client of the cluster.
    anomaly
        The anomaly's document; its `trade_id`, `symbol` and `@timestamp` are used.
    verdict
        What the anomaly turned out to be.
    comment
        The reason; may be empty. Cut at `MAX_COMMENT` characters.
    recorded_by
        The analyst's name. Cut at `MAX_NAME` characters.
    recorded_at
        Time of the verdict, UTC; now by default.
    signed_in
        Whether a sign-in has proven the name; else it was typed.
    blind
        Whether the person was not shown what the detectors say; the trade need not be an anomaly then.

    Returns
    -------
    Verdict or None
        The verdict on the anomaly itself that was replaced, if any.

    Raises
    ------
    TapewatchError
        If Elasticsearch does not answer or rejects the request, or `recorded_by` is empty.
    """
    person = Person(recorded_by, signed_in)
    about = {name: anomaly[name] for name in ("trade_id", "symbol", "@timestamp")}
    for _ in range(_ATTEMPTS):
        current = _newest(client, anomaly["trade_id"])
        if _add(client, about, current, str(verdict), comment, person, recorded_at, blind):
            return None if current is None or current["verdict"] == WITHDRAWN else _to_verdict(current)
    raise _too_many_at_once()


def withdraw(
    client: Elasticsearch, trade_id: str, recorded_by: str, comment: str = "", signed_in: bool = False
) -> None:
    """Take back the verdict on a trade, if it has one of its own; its history stays.

    Parameters
    ----------
    client
        Client of the cluster.
    trade_id
        The trade.
    recorded_by, comment, signed_in
        As `record` takes them.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer or rejects the request, or `recorded_by` is empty.
    """
    person = Person(recorded_by, signed_in)
    for _ in range(_ATTEMPTS):
        current = _newest(client, trade_id)
        if current is None or current["verdict"] == WITHDRAWN:
            return
        about = {name: current[name] for name in ("trade_id", "symbol", "@timestamp")}
        if _add(client, about, current, WITHDRAWN, comment, person, None):
            return
    raise _too_many_at_once()


def count_verdicts(client: Elasticsearch) -> int:
    """Return the number of trades that have a verdict of their own.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    is_end = {"term": {"verdict": WITHDRAWN}}
    # A trade is judged from an entry that replaces nothing until one that withdraws.
    begins = {"bool": {"must_not": [is_end, {"exists": {"field": "replaces"}}]}}
    with explain_errors(client):
        answer = client.search(
            index=VERDICTS_INDEX,
            aggs={"begins": {"filter": begins}, "ends": {"filter": is_end}},
            size=0,
            track_total_hits=False,
            allow_partial_search_results=False,
            ignore_unavailable=True,
        )
    counts = answer.get("aggregations", {})
    return int(counts["begins"]["doc_count"] - counts["ends"]["doc_count"]) if counts else 0


def read_verdicts(client: Elasticsearch, most: int) -> Iterator[list[dict[str, Any]]]:
    """Read the current verdicts as documents, page by page.

    Those on anomalies themselves come first, ordered by the time of their trades. Those of cases follow: a
    document for each trade without a verdict of its own, with the `alert_id` of the case.

    Parameters
    ----------
    client
        Client of the cluster.
    most
        Maximum number of verdicts to read.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    left = most
    own: set[str] = set()
    for page in _read_own(client):
        own |= {one["trade_id"] for one in page}
        if left > 0 and page:
            yield page[:left]
            left -= len(page)
    judged = {key: end for key, end in cases.all_judged_by_cases(client).items() if key not in own}
    ids = list(judged)[: max(left, 0)]
    for start in range(0, len(ids), _TIMES_AT_ONCE):
        some = ids[start : start + _TIMES_AT_ONCE]
        yield [_label(trade_id, judged[trade_id], when) for trade_id, when in _times(client, some).items()]


def judged_trades(
    client: Elasticsearch,
    wanted: Sequence[str],
    symbols: Sequence[str] = (),
    start: dt.datetime | None = None,
    end: dt.datetime | None = None,
    most: int = 10_000,
) -> list[str]:
    """Return the ids of trades whose current verdict is one of those wanted.

    Parameters
    ----------
    client
        Client of the cluster.
    wanted
        Verdicts.
    symbols
        Only of these; empty for all.
    start, end
        Only trades from `start` on and before `end`, UTC; some of others may be among them.
    most
        How many trades may have a verdict in the symbols and times asked for.

    Raises
    ------
    TapewatchError
        More have one, or Elasticsearch does not answer or rejects the request.
    """
    scope = _scope(symbols, start, end)
    # Of each trade the newest number of each verdict it ever had: the newest of all is its current one.
    newest = {"newest": {"max": {"field": "number", "missing": 0}}}
    said = {"said": {"terms": {"field": "verdict", "size": _KINDS}, "aggs": newest}}
    with explain_errors(client):
        answer = client.search(
            index=VERDICTS_INDEX,
            query={"bool": {"filter": scope}},
            aggs={"trades": {"terms": {"field": "trade_id", "size": most + 1}, "aggs": said}},
            size=0,
            track_total_hits=False,
            allow_partial_search_results=False,
            ignore_unavailable=True,
        )
    buckets = answer["aggregations"]["trades"]["buckets"] if "aggregations" in answer else []
    own = {bucket["key"]: _current(bucket["said"]["buckets"]) for bucket in buckets}
    by_cases = cases.all_judged_by_cases(client, _scope(symbols, start and start - LONGEST_ALERT, end))
    judged = {key: str(entry.outcome) for key, entry in by_cases.items()}
    judged |= {key: verdict for key, verdict in own.items() if verdict != WITHDRAWN}
    if max(len(own), len(judged)) > most:
        raise TapewatchError(
            f"There are more than {most:,} verdicts in the time range searched.",
            "Choose a shorter time range or a symbol, or remove the filter by verdict.",
        )
    return [trade_id for trade_id, verdict in judged.items() if verdict in wanted]


_KINDS = 10
"""Different verdicts that a trade may have had."""

_TIMES_AT_ONCE = 2_000
"""Trades whose times are asked for in one request."""


def _read_own(client: Elasticsearch) -> Iterator[list[dict[str, Any]]]:
    """Read the newest entry of each trade; entries of one have the same time, and so are neighbours."""
    sort = [
        {"@timestamp": {"order": "asc", "unmapped_type": "date_nanos"}},
        {"trade_id": {"order": "asc", "unmapped_type": "keyword"}},
        {"number": {"order": "asc", "missing": "_first", "unmapped_type": "long"}},
    ]
    last: dict[str, Any] | None = None
    for hits in read_pages(client, VERDICTS_INDEX, {"match_all": {}}, sort, sys.maxsize):
        page = []
        for hit in hits:
            source = hit["_source"]
            if last is not None and last["trade_id"] != source["trade_id"]:
                page.append(last)
            last = source
        yield [one for one in page if one["verdict"] != WITHDRAWN]
    if last is not None and last["verdict"] != WITHDRAWN:
        yield [last]


def _times(client: Elasticsearch, trade_ids: Sequence[str]) -> dict[str, str]:
    """Return when trades were, of those whose anomalies are still indexed; empty for others."""
    query = {"terms": {"trade_id": list(trade_ids)}}
    pages = read_pages(client, ANOMALIES_INDICES, query, [], sys.maxsize)
    found = {hit["_source"]["trade_id"]: hit["_source"]["@timestamp"] for hits in pages for hit in hits}
    return {trade_id: found.get(trade_id, "") for trade_id in trade_ids}


def _label(trade_id: str, entry: Entry, when: str) -> dict[str, Any]:
    return {
        "trade_id": trade_id,
        "verdict": str(entry.outcome),
        "symbol": entry.symbol,
        "@timestamp": when,
        "recorded_at": to_text(entry.recorded_at),
        "recorded_by": entry.recorded_by,
        "comment": entry.comment,
        "alert_id": entry.alert_id,
    }


def _scope(symbols: Sequence[str], start: dt.datetime | None, end: dt.datetime | None) -> list[Filter]:
    scope: list[Filter] = [{"terms": {"symbol": list(symbols)}}] if symbols else []
    times = {"gte": start, "lt": end}
    if limits := {name: time.isoformat() for name, time in times.items() if time is not None}:
        scope.append({"range": {"@timestamp": limits}})
    return scope


def _current(said: Sequence[dict[str, Any]]) -> str:
    return str(max(said, key=lambda bucket: bucket["newest"]["value"])["key"])


def _newest(client: Elasticsearch, trade_id: str) -> dict[str, Any] | None:
    filters = [{"term": {"trade_id": trade_id}}]
    return next(iter(newest_entries(client, VERDICTS_INDEX, "trade_id", filters, most=1)), None)


def _add(
    client: Elasticsearch,
    about: dict[str, Any],
    current: dict[str, Any] | None,
    verdict: str,
    comment: str,
    person: Person,
    recorded_at: dt.datetime | None,
    blind: bool = False,
) -> bool:
    """Write the entry after the current one; returns False if somebody else did at the same moment."""
    number = 1 if current is None else current.get("number", 0) + 1
    document = about | {
        "number": number,
        "verdict": verdict,
        "comment": comment.strip()[:MAX_COMMENT],
        "recorded_by": person.name,
        "recorded_at": to_text(recorded_at),
        "signed_in": person.signed_in,
    }
    if current is not None and current["verdict"] != WITHDRAWN:
        document["replaces"] = current["verdict"]
    if blind:
        document["blind"] = True
    # A trade's id may be as long as Elasticsearch takes an id, without a number behind it.
    key = hashlib.blake2b(about["trade_id"].encode(), digest_size=16).hexdigest()
    return create_entry(client, VERDICTS_INDEX, f"{key}.{number}", document)


def _too_many_at_once() -> TapewatchError:
    return TapewatchError(
        "Others are recording verdicts on this anomaly at the same moment.",
        "Check their verdicts, and try again.",
    )


def _to_verdict(source: dict[str, Any]) -> Verdict:
    return Verdict(
        trade_id=source["trade_id"],
        verdict=source["verdict"],
        comment=source.get("comment", ""),
        recorded_by=source.get("recorded_by", ""),
        recorded_at=dt.datetime.fromisoformat(source["recorded_at"]),
        signed_in=source.get("signed_in", False),
        blind=source.get("blind", False),
    )


def _of_case(trade_id: str, entry: Entry) -> Verdict:
    return Verdict(
        trade_id,
        str(entry.outcome),
        entry.comment,
        entry.recorded_by,
        entry.recorded_at,
        entry.signed_in,
        entry.alert_id,
    )
