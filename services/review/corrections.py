"""What venues said of trades afterwards: corrections, joined with the trades by `trade_id` when asked.

Trades never change, and neither do their anomalies: a cancelled print that was flagged stays, marked.
"""

import datetime as dt
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from services.common.elastic.client import Elasticsearch
from services.common.elastic.errors import explain_errors
from services.common.elastic.paging import read_pages
from services.contracts.correction import Correction
from services.contracts.indices import CORRECTIONS_INDICES
from services.contracts.trade import size_text

MAX_CORRECTIONS = 10_000
"""What one answer of Elasticsearch holds at most."""


class Standing(StrEnum):
    """What became of a trade."""

    CANCELLED = "cancelled"
    CORRECTED = "corrected"


_ACTIONS = {Standing.CANCELLED: ("cancel", "error"), Standing.CORRECTED: ("correct",)}
_BY_TIME = {"@timestamp": {"order": "asc", "unmapped_type": "date_nanos"}}
_VERBS = {"cancel": "cancelled", "error": "reported in error", "correct": "corrected"}


@dataclass(frozen=True)
class VenueCorrection:
    """The last correction of a trade.

    Parameters
    ----------
    trade_id
        The trade.
    action
        As in `services.contracts.correction.Action`.
    at
        When the venue made it, UTC, to the microsecond.
    price, size
        The corrected ones; None where the venue gave none.
    """

    trade_id: str
    action: str
    at: dt.datetime
    price: float | None = None
    size: float | None = None

    @property
    def is_cancelled(self) -> bool:
        """Whether the trade no longer stands."""
        return self.action in _ACTIONS[Standing.CANCELLED]

    def short(self, zone: dt.tzinfo = dt.UTC) -> str:
        """Say what happened and when, for a cell of a table: `cancelled 10:03:12`."""
        return f"{self._verb} {self.at.astimezone(zone):%H:%M:%S}"

    def sentence(self, zone: dt.tzinfo = dt.UTC, zone_name: str = "UTC") -> str:
        """Say it with who did it: `cancelled by the venue at 10:03:12 UTC on 2026-11-29`."""
        at = self.at.astimezone(zone)
        said = f"{self._verb} by the venue at {at:%H:%M:%S} {zone_name} on {at:%Y-%m-%d}"
        now = [f"price {self.price:,.10g}"] if self.price is not None else []
        now += [f"size {size_text(self.size)}"] if self.size is not None else []
        return f"{said}: {', '.join(now)}" if now else said

    @property
    def _verb(self) -> str:
        return _VERBS.get(self.action, self.action)


def corrections_of(client: Elasticsearch, trade_ids: Sequence[str]) -> dict[str, VenueCorrection]:
    """Return the last correction of each of the given trades, by `trade_id`, without those that have none.

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
    return _search(client, [{"terms": {"trade_id": list(trade_ids)}}])


def find_corrected(
    client: Elasticsearch,
    standing: Standing,
    symbols: Sequence[str] = (),
    since: dt.datetime | None = None,
    most: int = MAX_CORRECTIONS,
) -> dict[str, VenueCorrection]:
    """Return corrections of one kind, by `trade_id`.

    Parameters
    ----------
    client
        Client of the cluster.
    standing
        What became of the trades.
    symbols
        Only of these; empty for all.
    since
        Only corrections made from then on, UTC: those of trades from then on are among them.
    most
        The newest of them, `MAX_CORRECTIONS` at most.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    filters: list[dict[str, Any]] = [
        {"terms": {"action": list(_ACTIONS[standing])}},
        {"exists": {"field": "trade_id"}},
    ]
    if symbols:
        filters.append({"terms": {"symbol": list(symbols)}})
    if since is not None:
        filters.append({"range": {"@timestamp": {"gte": since.isoformat()}}})
    return _search(client, filters, most)


def read_corrections(
    client: Elasticsearch, since: dt.datetime, symbol: str | None = None
) -> tuple[list[Correction], int]:
    """Return all corrections made from a time on, any number, in the order of their times.

    Parameters
    ----------
    client
        Client of the cluster.
    since
        The time, UTC.
    symbol
        Only of this one; None for all.

    Returns
    -------
    tuple
        The corrections, and how many documents are none.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    filters: list[dict[str, Any]] = [{"range": {"@timestamp": {"gte": f"{since:%Y-%m-%dT%H:%M:%S}Z"}}}]
    if symbol is not None:
        filters.append({"term": {"symbol": symbol}})
    query = {"bool": {"filter": filters}}
    found: list[Correction] = []
    unreadable = 0
    for hits in read_pages(client, CORRECTIONS_INDICES, query, [_BY_TIME], sys.maxsize):
        for hit in hits:
            try:
                found.append(msgspec.convert(hit["_source"], Correction))
            except msgspec.ValidationError:
                unreadable += 1
    return found, unreadable


def _search(
    client: Elasticsearch, filters: Sequence[Mapping[str, Any]], most: int = MAX_CORRECTIONS
) -> dict[str, VenueCorrection]:
    with explain_errors(client):
        answer = client.search(
            index=CORRECTIONS_INDICES,
            query={"bool": {"filter": list(filters)}},
            sort=[{"@timestamp": {"order": "desc", "unmapped_type": "date_nanos"}}],
            size=min(most, MAX_CORRECTIONS),
            track_total_hits=False,
            allow_partial_search_results=False,
            source_includes=["@timestamp", "trade_id", "action", "price", "size"],
        )
    # The newest first: of several corrections of a trade the last one written here is the newest.
    found = [_to_correction(hit["_source"]) for hit in reversed(answer["hits"]["hits"])]
    return {one.trade_id: one for one in found}


def _to_correction(source: Mapping[str, Any]) -> VenueCorrection:
    at = dt.datetime.fromisoformat(source["@timestamp"])
    return VenueCorrection(
        source["trade_id"], source["action"], at.astimezone(dt.UTC), source.get("price"), source.get("size")
    )
