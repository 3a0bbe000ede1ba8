"""Cases in Elasticsearch: what people did about alerts, as histories to which every step adds an entry.

An alert's case begins with its first entry; nothing is stored but entries. Of two people who act at once the
second is told what the first has done, and nothing is recorded for the second.
"""

import datetime as dt
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from services.common.elastic.client import Elasticsearch
from services.common.elastic.errors import explain_errors
from services.common.elastic.paging import read_pages
from services.common.errors import TapewatchError
from services.contracts.alert import Alert
from services.contracts.indices import CASES_INDEX
from services.review.case import VERDICTS, Action, Case, Entry, Outcome, Step, case_of, refusal
from services.review.history import (
    MAX_COMMENT,
    MAX_FOUND,
    MAX_NAME,
    Filter,
    Person,
    create_entry,
    newest_entries,
    to_text,
)

_ENDS = {"terms": {"action": [Action.CLOSED, Action.REOPENED]}}
_NEWEST_ALERTS = [{"@timestamp": {"order": "desc", "unmapped_type": "date_nanos"}}]


class CaseChangedError(TapewatchError):
    """Somebody else took a step since the case was read; nothing was recorded."""


def take_step(
    client: Elasticsearch,
    alert: Alert,
    seen: Case,
    step: Step,
    person: Person,
    recorded_at: dt.datetime | None = None,
) -> Entry:
    """Add an entry to an alert's case.

    Parameters
    ----------
    client
        Client of the cluster.
    alert
        The alert, as its newest revision says it.
    seen
        The case as the person saw it.
    step
        What to do.
    person
        Who does it.
    recorded_at
        When, UTC; now by default.

    Raises
    ------
    CaseChangedError
        Somebody else took a step meanwhile; its text says who and what.
    TapewatchError
        The case does not allow the step, or Elasticsearch does not answer or rejects the request.
    """
    if error := refusal(seen, step):
        raise error
    # What is reopened takes back what was said of these trades, though the alert has others by now.
    taken_back = seen.closed if step.action is Action.REOPENED else None
    trades = taken_back.trades if taken_back else tuple(alert.anomalies)
    outcome = taken_back.outcome if taken_back else step.outcome
    number = seen.entries[-1].number + 1 if seen.entries else 1
    document = {
        "@timestamp": alert.timestamp,
        "alert_id": alert.alert_id,
        "number": number,
        "symbol": alert.symbol,
        "action": str(step.action),
        "recorded_by": person.name,
        "recorded_at": to_text(recorded_at),
        "signed_in": person.signed_in,
    }
    if comment := step.comment.strip()[:MAX_COMMENT]:
        document["comment"] = comment
    if step.action is Action.ASSIGNED:
        document["assignee"] = (step.assignee or "").strip()[:MAX_NAME]
    if step.action is Action.LINKED:
        document["linked_to"] = step.linked_to
    if outcome is not None:
        document |= {"outcome": str(outcome), "trades": list(trades)}
    entry_id = f"{alert.alert_id}.{number}"
    if not create_entry(client, CASES_INDEX, entry_id, document):
        with explain_errors(client):
            other = _to_entry(client.get(index=CASES_INDEX, id=entry_id)["_source"])
        raise CaseChangedError(
            f"{other.recorded_by} {other.sentence} at {other.recorded_at:%H:%M:%S} UTC, in the meantime. "
            "Nothing was recorded for you.",
            "Look at what has changed, and do it again if it is still right.",
        )
    return _to_entry(document)


def cases_of(client: Elasticsearch, alert_ids: Sequence[str]) -> dict[str, Case]:
    """Return the cases of alerts, by alert id, without those that have none.

    Parameters
    ----------
    client
        Client of the cluster.
    alert_ids
        At most as many as a page shows.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    if not alert_ids:
        return {}
    query = {"bool": {"filter": [{"terms": {"alert_id": list(alert_ids)}}]}}
    return {key: case_of(entries) for key, entries in _read(client, query).items()}


def linked_from(client: Elasticsearch, alert_id: str) -> list[str]:
    """Return the ids of the alerts in whose cases an alert is linked, sorted.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    filters = [{"term": {"linked_to": alert_id}}]
    return sorted(entry["alert_id"] for entry in newest_entries(client, CASES_INDEX, "alert_id", filters))


def closed_alerts(client: Elasticsearch) -> tuple[list[str], str | None]:
    """Return the ids of the alerts whose cases are closed, those of the newest alerts.

    Returns
    -------
    tuple
        The ids, and the time of alerts up to which there may be others: None if these are all. At most
        `MAX_FOUND` cases that were ever closed are looked at.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    found = _newest_ends(client)
    ids = [entry["alert_id"] for entry in found if entry["action"] == Action.CLOSED]
    return ids, found[-1]["@timestamp"] if len(found) == MAX_FOUND else None


def assignees(client: Elasticsearch) -> dict[str, str]:
    """Return to whom alerts are assigned, by alert id, of the `MAX_FOUND` newest that ever were.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    filters = [{"term": {"action": Action.ASSIGNED}}]
    found = newest_entries(client, CASES_INDEX, "alert_id", filters, _NEWEST_ALERTS)
    return {entry["alert_id"]: entry["assignee"] for entry in found if entry.get("assignee")}


def judged_by_cases(client: Elasticsearch, trade_ids: Sequence[str]) -> dict[str, Entry]:
    """Return by trade id the entry that closed its alert's case with a verdict; the newest of several.

    Parameters
    ----------
    client
        Client of the cluster.
    trade_ids
        At most as many as a page shows; trades without such an entry are left out.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    found = map(_to_entry, _newest_ends(client, [{"terms": {"trades": list(trade_ids)}}]))
    return _by_trade((entry for entry in found if entry.action is Action.CLOSED), set(trade_ids))


def all_judged_by_cases(client: Elasticsearch, filters: Sequence[Filter] = ()) -> dict[str, Entry]:
    """Return the same for every trade of every closed case whose entries match, any number.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    histories = _read(client, {"bool": {"filter": [_ENDS, *filters]}})
    ends = (case_of(entries).closed for entries in histories.values())
    return _by_trade([end for end in ends if end is not None], None)


def count_judged_cases(client: Elasticsearch) -> int:
    """Return how many cases are closed with a verdict.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    judged = {"terms": {"outcome": list(VERDICTS)}}
    # A case is closed once for each time that it is opened, and an entry that reopens has the outcome, too.
    with explain_errors(client):
        answer = client.search(
            index=CASES_INDEX,
            query={"bool": {"filter": [judged]}},
            aggs={
                "closed": {"filter": {"term": {"action": Action.CLOSED}}},
                "reopened": {"filter": {"term": {"action": Action.REOPENED}}},
            },
            size=0,
            track_total_hits=False,
            allow_partial_search_results=False,
            ignore_unavailable=True,
        )
    counts = answer.get("aggregations", {})
    return int(counts["closed"]["doc_count"] - counts["reopened"]["doc_count"]) if counts else 0


def _newest_ends(client: Elasticsearch, filters: Sequence[Filter] = ()) -> list[dict[str, Any]]:
    """Return of each case the newest entry that closed or reopened it, those of the newest alerts first."""
    return newest_entries(client, CASES_INDEX, "alert_id", [_ENDS, *filters], _NEWEST_ALERTS, MAX_FOUND)


def _by_trade(ends: Iterable[Entry], wanted: set[str] | None) -> dict[str, Entry]:
    judged: dict[str, Entry] = {}
    for end in sorted(ends, key=lambda entry: entry.recorded_at):
        if end.outcome in VERDICTS:
            judged |= {trade: end for trade in end.trades if wanted is None or trade in wanted}
    return judged


def _read(client: Elasticsearch, query: Mapping[str, Any]) -> dict[str, list[Entry]]:
    """Return all entries that match, by alert id."""
    found: dict[str, list[Entry]] = {}
    for hits in read_pages(client, CASES_INDEX, query, [], sys.maxsize):
        for hit in hits:
            entry = _to_entry(hit["_source"])
            found.setdefault(entry.alert_id, []).append(entry)
    return found


def _to_entry(source: Mapping[str, Any]) -> Entry:
    return Entry(
        alert_id=source["alert_id"],
        symbol=source["symbol"],
        number=source["number"],
        action=Action(source["action"]),
        recorded_by=source["recorded_by"],
        recorded_at=dt.datetime.fromisoformat(source["recorded_at"]),
        signed_in=source.get("signed_in", False),
        comment=source.get("comment", ""),
        assignee=source.get("assignee"),
        linked_to=source.get("linked_to"),
        outcome=Outcome(source["outcome"]) if "outcome" in source else None,
        trades=tuple(source.get("trades", ())),
    )
