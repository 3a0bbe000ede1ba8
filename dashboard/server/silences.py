"""Silences as they are indexed, and how much each has held back; every answer is bounded."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec

from dashboard.server.elastic import aggregate, counts_of, search
from services.alerter.silencing.silences import seconds_left
from services.common.elastic.client import Elasticsearch
from services.contracts.alert import Outcome, Silence
from services.contracts.indices import ALERT_DELIVERIES_INDICES, SILENCES_INDEX

MAX_SILENCES = 200
ENDED_FOR = dt.timedelta(days=7)
"""So long after its end a silence is still shown."""
MAX_NAMES = 200


@dataclass(frozen=True)
class FoundSilences:
    """Some silences.

    Parameters
    ----------
    in_force
        Those that hold back alerts now, the one that ends first before the others.
    ended
        Those that are over, the one that ended last before the others.
    held_back
        How many revisions each held back, by its id; those that held back none are missing.
    """

    in_force: list[Silence]
    ended: list[Silence]
    held_back: dict[str, int]


def find_silences(client: Elasticsearch, now: dt.datetime, written: Iterable[Silence] = ()) -> FoundSilences:
    """Return the silences in force and those that ended within `ENDED_FOR`, `MAX_SILENCES` at most.

    Parameters
    ----------
    client
        Client of the cluster.
    now
        Now, UTC.
    written
        Silences that were made or ended just now, which may not be indexed yet.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    # By Elasticsearch's own clock: the request stays the same from one refresh to the next.
    since = f"now-{ENDED_FOR.days}d"
    answer = search(
        client,
        SILENCES_INDEX,
        query={"bool": {"filter": [{"range": {"expires_at": {"gte": since}}}]}},
        sort=[
            {"expires_at": {"order": "desc", "unmapped_type": "date_nanos"}},
            {"silence_id": {"order": "asc", "unmapped_type": "keyword"}},
        ],
        size=MAX_SILENCES,
        track_total_hits=False,
        ignore_unavailable=True,
    )
    indexed = [msgspec.convert(hit["_source"], Silence) for hit in answer["hits"]["hits"]]
    in_force, over = split([*indexed, *written], now)
    return FoundSilences(in_force, over, _count_held_back(client, [*in_force, *over]))


def split(known: Iterable[Silence], now: dt.datetime) -> tuple[list[Silence], list[Silence]]:
    """Return the silences in force and those that are over, as `FoundSilences` has them.

    Parameters
    ----------
    known
        In any order. Of several with one id the one that ends first is the newest: a silence is never made
        longer.
    now
        Now, UTC.
    """
    newest: dict[str, tuple[float, Silence]] = {}
    for silence in known:
        left_s = seconds_left(silence, now.timestamp())
        if silence.silence_id not in newest or left_s < newest[silence.silence_id][0]:
            newest[silence.silence_id] = (left_s, silence)
    by_end = sorted(newest.values(), key=lambda one: one[0])
    in_force = [silence for left_s, silence in by_end if left_s > 0]
    return in_force, [silence for left_s, silence in reversed(by_end) if left_s <= 0]


def _count_held_back(client: Elasticsearch, silences: list[Silence]) -> dict[str, int]:
    ids = [silence.silence_id for silence in silences]
    if not ids:
        return {}
    filters: list[dict[str, Any]] = [
        {"term": {"outcome": Outcome.SILENCED}},
        {"terms": {"silence_id": ids}},
    ]
    by_id = {"silences": {"terms": {"field": "silence_id", "size": len(ids)}}}
    return counts_of(aggregate(client, ALERT_DELIVERIES_INDICES, filters, by_id), "silences")


def find_names(client: Elasticsearch) -> dict[str, list[str]]:
    """Return the rules and channels of alerts that were made, for forms: by `rules` and `channels`.

    Each in alphabetical order, the `MAX_NAMES` that occur most.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    by_name = {
        "rules": {"terms": {"field": "rule", "size": MAX_NAMES}},
        "channels": {"terms": {"field": "channel", "size": MAX_NAMES}},
    }
    found = aggregate(client, ALERT_DELIVERIES_INDICES, [], by_name)
    return {name: sorted(counts_of(found, name)) for name in by_name}
