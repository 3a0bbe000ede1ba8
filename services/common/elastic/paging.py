"""Any number of hits, read page by page as they were when the reading began."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from services.common.elastic.client import Elasticsearch
from services.common.elastic.errors import ApiError, TransportError, explain_errors

PAGE_ROWS = 2_000
PAGE_VALUES = 10_000
"""Rows of a page if only a few values are read; Elasticsearch returns at most so many at once."""

TAPE_ORDER: tuple[Mapping[str, Any], ...] = (
    # Nanoseconds as text: as numbers of JavaScript's kind they would lose digits.
    {"@timestamp": {"order": "asc", "format": "strict_date_optional_time_nanos"}},
    {"sequence": {"order": "asc", "missing": 0, "unmapped_type": "long"}},
)
"""The sort in which indexed trades come as the detector saw them."""

RECEIVED_ORDER: tuple[Mapping[str, Any], ...] = (
    {"ts_recv": {"order": "asc", "format": "strict_date_optional_time_nanos"}},
    *TAPE_ORDER,
)
"""The sort in which trades came in, where each of them has the time of that: venues that one feed merges need
not be in the order of their own times."""

KEEP_ALIVE = "2m"

Hit = dict[str, Any]
Sort = Sequence[Mapping[str, Any]]

_BY_PLACE = {"_shard_doc": "asc"}
"""Tells any two documents apart."""


def read_pages(
    client: Elasticsearch,
    index: str,
    query: Mapping[str, Any],
    sort: Sort,
    max_rows: int,
    page_rows: int | None = None,
    with_seq_no: bool = False,
) -> Iterator[list[Hit]]:
    """Read hits page by page until there are no more, or `max_rows` have been read.

    Parameters
    ----------
    client
        Client of the cluster.
    index
        Name or pattern; one that does not exist yet has no hits.
    query, sort
        As Elasticsearch takes them; the sort need not tell every two documents apart.
    max_rows
        1 or more.
    page_rows
        Rows of a page; None for `PAGE_ROWS`.
    with_seq_no
        Whether hits have `_seq_no`, which rises with each change of a document.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    page_rows = page_rows or PAGE_ROWS
    rows = min(page_rows, max_rows)
    # Mostly everything fits into one answer, which needs no point in time.
    with explain_errors(client):
        answer = client.search(
            index=index,
            query=query,
            sort=sort or None,
            size=rows,
            track_total_hits=False,
            allow_partial_search_results=False,
            ignore_unavailable=True,
            seq_no_primary_term=with_seq_no,
        )
    hits: list[Hit] = answer["hits"]["hits"]
    if len(hits) < rows or rows == max_rows:
        if hits:
            yield hits
        return
    by = [*sort, _BY_PLACE]
    yield from _read(client, index, query, by, page_rows, max_rows, seq_no_primary_term=with_seq_no)


def read_values(
    client: Elasticsearch,
    index: str,
    query: Mapping[str, Any],
    sort: Sort,
    fields: Sort,
    max_rows: int,
) -> Iterator[list[list[Any]]]:
    """Read a few fields of each hit, which takes half the time of whole hits.

    Parameters
    ----------
    client, index, query, sort, max_rows
        As in `read_pages`; pages have `PAGE_VALUES` rows.
    fields
        The fields, each as what sorts by it.

    Returns
    -------
    iterator of lists
        The values of `sort` and of `fields` for each hit.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    # Elasticsearch returns the sort values with each hit from columns, without reading the documents. After a
    # sort that tells any two hits apart, further fields do not change the order.
    by = [*sort, _BY_PLACE, *fields]
    place, end = len(sort), len(sort) + 1 + len(fields)
    for hits in _read(client, index, query, by, PAGE_VALUES, max_rows, source=False):
        rows = (hit["sort"] for hit in hits)
        yield [row[:place] + row[place + 1 : end] for row in rows]


def _read(
    client: Elasticsearch,
    index: str,
    query: Mapping[str, Any],
    sort: Sort,
    page_rows: int,
    max_rows: int,
    **options: Any,
) -> Iterator[list[Hit]]:
    with explain_errors(client):
        point = client.open_point_in_time(index=index, keep_alive=KEEP_ALIVE, ignore_unavailable=True)["id"]
    after: Sequence[bool | float | int | str | None] | None = None
    left = max_rows
    try:
        while left > 0:
            with explain_errors(client):
                answer = client.search(
                    pit={"id": point, "keep_alive": KEEP_ALIVE},
                    query=query,
                    sort=sort,
                    search_after=after,
                    size=min(page_rows, left),
                    track_total_hits=False,
                    allow_partial_search_results=False,
                    **options,
                )
            point = answer["pit_id"]  # not always the one that was sent
            hits = answer["hits"]["hits"]
            if not hits:
                return
            yield hits
            after = hits[-1]["sort"]
            left -= len(hits)
    finally:
        # Elasticsearch closes one that is left; an error here must not hide why the reading ended.
        with contextlib.suppress(ApiError, TransportError):
            client.close_point_in_time(id=point)
