"""Named views of the dashboard in Elasticsearch: a history for each name, to which saving and deleting add.

A view is a page's address. Of two people who save one name at once the second is told who was quicker.
"""

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Any

from services.common.elastic.client import Elasticsearch
from services.common.errors import TapewatchError
from services.contracts.indices import VIEWS_INDEX
from services.review.history import Person, create_entry, newest_entries, to_text

MAX_NAME = 60
"""Characters of a view's name at most."""
MAX_QUERY = 4_000
"""Characters of an address's query at most."""
MAX_VIEWS = 500
"""Names that are listed at most."""


class ViewChangedError(TapewatchError):
    """Somebody else saved or deleted a view of this name meanwhile; nothing was recorded."""


@dataclass(frozen=True)
class View:
    """A view under its name."""

    name: str
    page: str
    """Path of the page, such as `search`; empty for the first one."""
    query: str
    """Its filters, symbols and layout, as the address has them: `symbol=X&severity=high`."""
    recorded_by: str
    recorded_at: dt.datetime
    """UTC, to the millisecond."""
    number: int
    """Of the entry: how often a view of this name was saved or deleted."""
    is_deleted: bool = False


def clean_name(name: str) -> str:
    """Return a name without spaces around it.

    Raises
    ------
    TapewatchError
        It is empty, too long, or has characters that cannot be seen.
    """
    name = name.strip()
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise TapewatchError(
            "This is not a name for a view.", f"Enter 1 to {MAX_NAME} characters on one line."
        )
    return name


def list_views(client: Elasticsearch) -> list[View]:
    """Return the newest entry of each name, `MAX_VIEWS` at most, by name; views that were deleted as well.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    by_name = [{"name": {"order": "asc", "unmapped_type": "keyword"}}]
    return [_to_view(one) for one in newest_entries(client, VIEWS_INDEX, "name", [], by_name, MAX_VIEWS)]


def find_view(client: Elasticsearch, name: str) -> View | None:
    """Return the newest entry of a name, which may be that the view was deleted; None without any.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    found = newest_entries(client, VIEWS_INDEX, "name", [{"term": {"name": name}}], most=1)
    return _to_view(found[0]) if found else None


def save_view(
    client: Elasticsearch, name: str, page: str, query: str, person: Person, seen: View | None
) -> View:
    """Save an address under a name, in place of what the person has seen there.

    Parameters
    ----------
    client
        Client of the cluster.
    name, page, query
        As in `View`.
    person
        Who saves it.
    seen
        The newest entry of this name that the person knows of; None for a name that is not taken.

    Raises
    ------
    ViewChangedError
        Somebody else was quicker; its text says who.
    TapewatchError
        The name or the query is not accepted, or Elasticsearch does not answer or rejects the request.
    """
    if len(query) > MAX_QUERY:
        raise TapewatchError("The address of this view is too long to be kept.", "Remove some filters.")
    return _add(client, clean_name(name), page, query, person, seen, is_deleted=False)


def delete_view(client: Elasticsearch, seen: View, person: Person) -> None:
    """Delete a view; its history stays.

    Raises
    ------
    ViewChangedError
        Somebody else was quicker; its text says who.
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    _add(client, seen.name, seen.page, seen.query, person, seen, is_deleted=True)


def _add(
    client: Elasticsearch,
    name: str,
    page: str,
    query: str,
    person: Person,
    seen: View | None,
    is_deleted: bool,
) -> View:
    number = 1 if seen is None else seen.number + 1
    document = {
        "name": name,
        "number": number,
        "page": page,
        "query": query,
        "deleted": is_deleted,
        "recorded_by": person.name,
        "recorded_at": to_text(None),
        "signed_in": person.signed_in,
    }
    # Names may have any character; ids may not be as long.
    key = hashlib.blake2b(name.encode(), digest_size=16).hexdigest()
    if not create_entry(client, VIEWS_INDEX, f"{key}.{number}", document):
        newest = find_view(client, name)
        who = newest.recorded_by if newest is not None else "Somebody else"
        did = "deleted" if newest is not None and newest.is_deleted else "saved"
        raise ViewChangedError(
            f"{who} has just {did} a view of this name; nothing was recorded for you.",
            "Look at theirs, and save yours again if it is to replace it.",
        )
    return _to_view(document)


def _to_view(source: dict[str, Any]) -> View:
    return View(
        name=source["name"],
        page=source["page"],
        query=source["query"],
        recorded_by=source["recorded_by"],
        recorded_at=dt.datetime.fromisoformat(source["recorded_at"]),
        number=source["number"],
        is_deleted=source["deleted"],
    )
