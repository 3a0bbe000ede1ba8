"""Histories in Elasticsearch that only grow: an entry for each step, numbered, none changed or deleted."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.common.elastic.client import Elasticsearch
from services.common.elastic.errors import ConflictError, explain_errors
from services.common.errors import TapewatchError
from services.contracts.iso_time import iso_utc

MAX_COMMENT = 2_000
"""Maximum length of a comment, in characters."""
MAX_NAME = 100
"""Maximum length of a name, in characters."""
MAX_FOUND = 10_000
"""Entries in an answer of Elasticsearch at most."""

BY_NUMBER: Mapping[str, Any] = {"number": {"order": "desc", "missing": "_last", "unmapped_type": "long"}}
"""Sorts the newest entry first; entries of before they had numbers are the oldest."""

Filter = Mapping[str, Any]


@dataclass(frozen=True)
class Person:
    """Who takes a step.

    Parameters
    ----------
    name
        Cut at `MAX_NAME` characters.
    signed_in
        Whether a sign-in has proven the name; else it was typed.

    Raises
    ------
    TapewatchError
        The name is empty.
    """

    name: str
    signed_in: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name.strip()[:MAX_NAME])
        if not self.name:
            raise TapewatchError("Nothing is recorded without a name.", "Enter your name.")


def create_entry(client: Elasticsearch, index: str, entry_id: str, document: Mapping[str, Any]) -> bool:
    """Write an entry; returns False if there is one with this id already, which stays as it is.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    with explain_errors(client):
        try:
            client.index(index=index, id=entry_id, document=document, op_type="create", refresh=True)
        except ConflictError:
            return False
    return True


def newest_entries(
    client: Elasticsearch,
    index: str,
    key: str,
    filters: Sequence[Filter],
    first: Sequence[Mapping[str, Any]] = (),
    most: int = MAX_FOUND,
) -> list[dict[str, Any]]:
    """Return the newest of the entries that match, one for each value of a field.

    Parameters
    ----------
    client
        Client of the cluster.
    index
        The history; one that does not exist yet has no entries.
    key
        The field: what a history is about.
    filters
        Which entries may be returned.
    first
        Sorts what the histories are about; its fields are the same in all entries of one.
    most
        How many at most, `MAX_FOUND` or less.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    with explain_errors(client):
        answer = client.search(
            index=index,
            query={"bool": {"filter": list(filters)}},
            collapse={"field": key},
            sort=[*first, BY_NUMBER],
            size=most,
            track_total_hits=False,
            allow_partial_search_results=False,
            ignore_unavailable=True,
        )
    return [hit["_source"] for hit in answer["hits"]["hits"]]


def to_text(time: dt.datetime | None) -> str:
    """Return a time, or that of now, as documents have it: ISO 8601 in UTC, milliseconds."""
    return iso_utc(time or dt.datetime.now(dt.UTC), "milliseconds")
