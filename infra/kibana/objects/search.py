"""Saved searches: documents as rows."""

from collections.abc import Mapping

from infra.kibana.objects.saved_object import (
    QUERY_REFERENCE,
    REFRESH,
    TIME_FIELD,
    SavedObject,
    TimeRange,
    kql,
    reference,
    saved,
    text,
)

TIME_WIDTH_PX = 225
ROW_LINES = 3
"""What the longest sentences need beside the other columns."""


def search(
    search_id: str,
    title: str,
    view_id: str,
    columns: Mapping[str, int],
    sort: str,
    times: TimeRange,
    *,
    query: str = "",
    description: str = "",
) -> SavedObject:
    """Return a saved search.

    Parameters
    ----------
    columns
        Width in pixels by field.
    sort
        Field to sort by, descending.
    query
        Query in KQL.
    """
    widths = {TIME_FIELD: TIME_WIDTH_PX, **columns}
    source = {"query": kql(query), "filter": [], "indexRefName": QUERY_REFERENCE}
    attributes = {
        "title": title,
        "description": description,
        "columns": list(columns),
        "sort": [[sort, "desc"]],
        "grid": {"columns": {field: {"width": width} for field, width in widths.items()}},
        "rowHeight": ROW_LINES,
        "hideChart": False,
        "isTextBasedQuery": False,
        "timeRestore": True,
        "timeRange": {"from": times.start, "to": times.end},
        "refreshInterval": REFRESH,
        "kibanaSavedObjectMeta": {"searchSourceJSON": text(source)},
    }
    return saved(
        "search", search_id, attributes, [reference("index-pattern", view_id, QUERY_REFERENCE)], "8.0.0"
    )
