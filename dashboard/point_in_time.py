"""Hits of any number, page by page, as they were when the reading began."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from elasticsearch import Elasticsearch

from dashboard.queries import guarded

PAGE_ROWS = 2_000
KEEP_ALIVE = "2m"

Hit = dict[str, Any]


def read_pages(
    client: Elasticsearch,
    index: str,
    query: Mapping[str, Any],
    sort: Sequence[Mapping[str, Any]],
    max_rows: int,
) -> Iterator[list[Hit]]:
    """Read hits in pages of `PAGE_ROWS` until there are no more, or `max_rows` have been read.

    Parameters
    ----------
    client
        Of the cluster.
    index
        Name or pattern; one that does not exist yet has no hits.
    query, sort
        As Elasticsearch takes them; the sort need not tell every two documents apart.
    max_rows
        1 or more.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer or refuses.
    """
    with guarded(client):
        point = client.open_point_in_time(index=index, keep_alive=KEEP_ALIVE, ignore_unavailable=True)["id"]
    after: list[object] | None = None
    left = max_rows
    try:
        while left > 0:
            with guarded(client):
                answer = client.search(
                    pit={"id": point, "keep_alive": KEEP_ALIVE},
                    query=query,
                    sort=[*sort, {"_shard_doc": "asc"}],
                    search_after=after,
                    size=min(PAGE_ROWS, left),
                    track_total_hits=False,
                    allow_partial_search_results=False,
                )
            hits = answer["hits"]["hits"]
            if not hits:
                return
            yield hits
            after = hits[-1]["sort"]
            left -= len(hits)
    finally:
        with guarded(client):
            client.close_point_in_time(id=point)
