"""Analysts' verdicts on anomalies: stored in a separate index, shown with the anomalies, used for training.

A trade has at most one verdict, the latest; `record` returns the verdict that was replaced.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from services.common.elastic.client import Elasticsearch
from services.common.elastic.errors import ConflictError, NotFoundError, explain_errors
from services.common.elastic.paging import read_pages
from services.common.errors import TapewatchError
from services.contracts.indices import VERDICTS_INDEX

MAX_COMMENT = 2_000
"""Maximum length of a comment, in characters."""
MAX_NAME = 100
"""Maximum length of a name, in characters."""

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
    """Normally a `Decision`; any text if another program wrote it."""
    comment: str
    recorded_by: str
    recorded_at: dt.datetime
    """UTC, to the millisecond."""


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
    with explain_errors(client):
        answers = client.mget(index=VERDICTS_INDEX, ids=list(trade_ids))["docs"]
    return {answer["_id"]: _to_verdict(answer) for answer in answers if answer.get("found")}


def record(
    client: Elasticsearch,
    anomaly: dict[str, Any],
    verdict: Decision,
    comment: str,
    recorded_by: str,
    recorded_at: dt.datetime | None = None,
) -> Verdict | None:
    """Record a verdict on an anomaly; replaces an earlier one.

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

    Returns
    -------
    Verdict or None
        The verdict that was replaced, if any.

    Raises
    ------
    TapewatchError
        If Elasticsearch does not answer or rejects the request, or `recorded_by` is empty.
    """
    recorded_by = recorded_by.strip()[:MAX_NAME]
    if not recorded_by:
        raise TapewatchError("A verdict without a name cannot be recorded.", "Enter your name.")
    trade_id = anomaly["trade_id"]
    document = {
        "trade_id": trade_id,
        "symbol": anomaly["symbol"],
        "@timestamp": anomaly["@timestamp"],
        "verdict": str(verdict),
        "comment": comment.strip()[:MAX_COMMENT],
        "recorded_by": recorded_by,
        "recorded_at": _iso(recorded_at or dt.datetime.now(dt.UTC)),
    }
    for _ in range(_ATTEMPTS):
        current = _get(client, trade_id)
        # Replace only the version just read, so that the returned verdict is the one that was replaced.
        only_over: dict[str, Any] = (
            {"op_type": "create"}
            if current is None
            else {"if_seq_no": current["_seq_no"], "if_primary_term": current["_primary_term"]}
        )
        with explain_errors(client):
            try:
                client.index(index=VERDICTS_INDEX, id=trade_id, document=document, refresh=True, **only_over)
            except ConflictError:
                continue
        return None if current is None else _to_verdict(current)
    raise TapewatchError(
        "Others are recording verdicts on this anomaly at the same moment.",
        "Check their verdicts, and try again.",
    )


def withdraw(client: Elasticsearch, trade_id: str) -> None:
    """Remove the verdict on a trade, if it has one.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    with explain_errors(client):
        client.options(ignore_status=404).delete(index=VERDICTS_INDEX, id=trade_id, refresh=True)


def count_verdicts(client: Elasticsearch) -> int:
    """Return the number of verdicts.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    with explain_errors(client):
        return int(client.count(index=VERDICTS_INDEX, ignore_unavailable=True)["count"])


def read_verdicts(client: Elasticsearch, most: int) -> Iterator[list[dict[str, Any]]]:
    """Read the verdicts as they are indexed, ordered by the time of their trades, page by page.

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
    sort = [{"@timestamp": {"order": "asc", "unmapped_type": "date_nanos"}}]
    for hits in read_pages(client, VERDICTS_INDEX, {"match_all": {}}, sort, most):
        yield [hit["_source"] for hit in hits]


def _get(client: Elasticsearch, trade_id: str) -> dict[str, Any] | None:
    with explain_errors(client):
        try:
            return dict(client.get(index=VERDICTS_INDEX, id=trade_id))
        except NotFoundError:
            return None


def _to_verdict(answer: dict[str, Any]) -> Verdict:
    source = answer["_source"]
    return Verdict(
        trade_id=answer["_id"],
        verdict=source["verdict"],
        comment=source.get("comment", ""),
        recorded_by=source.get("recorded_by", ""),
        recorded_at=dt.datetime.fromisoformat(source["recorded_at"]),
    )


def _iso(time: dt.datetime) -> str:
    return time.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
