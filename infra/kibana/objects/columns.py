"""The columns of charts and tables: what they divide documents by, and what they measure."""

from collections.abc import Mapping
from typing import Any

from infra.kibana.objects.saved_object import TIME_FIELD, kql

Column = dict[str, Any]

_RECORDS = "___records___"


def count(label: str, query: str = "", per: str | None = None) -> Column:
    """Return a column that counts the documents that match a KQL query, in total or `per` unit of time."""
    return measure("count", _RECORDS, label, query) | ({"timeScale": per} if per else {})


def measure(operation: str, field: str, label: str, query: str = "") -> Column:
    """Return a column with a field's `sum`, `max`, `unique_count`, … over what a query matches.

    None is 0 where there is nothing to count or to add.
    """
    return _metric(operation, field, label, query, {"emptyAsNull": False})


def percentile(field: str, percent: int, label: str) -> Column:
    """Return a column with the value that so many percent of a field's values do not exceed."""
    return _metric("percentile", field, label, "", {"percentile": percent})


def last_value(field: str, label: str, *, is_date: bool = False) -> Column:
    """Return a column with a field's value in the latest document."""
    params = {"sortField": TIME_FIELD, "showArrayValues": False}
    column = _metric("last_value", field, label, f'"{field}": *', params)
    return column | ({"dataType": "date"} if is_date else {})


def over_time() -> Column:
    """Return a column that divides time into intervals that fit the chart."""
    return {
        "label": TIME_FIELD,
        "dataType": "date",
        "operationType": "date_histogram",
        "sourceField": TIME_FIELD,
        "isBucketed": True,
        "scale": "interval",
        "params": {"interval": "auto", "includeEmptyRows": True, "dropPartials": False},
    }


def histogram(field: str, label: str, bars: int) -> Column:
    """Return a column that divides a number's range into at most `bars` intervals of equal, round width."""
    return {
        **_named(label, "number", "range", field),
        "isBucketed": True,
        "scale": "interval",
        "params": {
            "type": "histogram",
            "ranges": [{"from": 0, "to": 1000, "label": ""}],
            "maxBars": bars,
            "includeEmptyRows": True,
        },
    }


def top_values(field: str, label: str, size: int, *, by: str | None = None, rest: bool = False) -> Column:
    """Return a column with a field's most frequent values.

    Parameters
    ----------
    size
        Number of values, at most.
    by
        Id of the layer's column to rank the values by; the number of documents by default.
    rest
        Whether to add all other values as one group.
    """
    if by:
        order: dict[str, Any] = {"orderBy": {"type": "column", "columnId": by}}
    else:
        order = {"orderBy": {"type": "custom"}, "orderAgg": count("Documents")}
    return {
        **_named(label, "string", "terms", field),
        "isBucketed": True,
        "scale": "ordinal",
        "params": {
            "size": size,
            **order,
            "orderDirection": "desc",
            "otherBucket": rest,
            "missingBucket": False,
            "parentFormat": {"id": "terms"},
            "include": [],
            "exclude": [],
            "includeIsRegex": False,
            "excludeIsRegex": False,
        },
    }


def _metric(operation: str, field: str, label: str, query: str, params: Mapping[str, Any]) -> Column:
    return {
        **_named(label, "number", operation, field),
        "isBucketed": False,
        "scale": "ratio",
        "params": params,
        **({"filter": kql(query)} if query else {}),
    }


def _named(label: str, data_type: str, operation: str, field: str) -> Column:
    return {
        "label": label,
        "customLabel": True,  # otherwise Kibana generates a label
        "dataType": data_type,
        "operationType": operation,
        "sourceField": field,
    }
