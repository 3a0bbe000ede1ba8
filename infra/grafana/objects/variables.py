"""What is chosen above a dashboard."""

from infra.grafana.objects.queries import POSTGRES, Json

_AFTER_TIME_RANGE_CHANGE = 2
_AS_THE_QUERY_HAS_THEM = 0


def from_query(name: str, label: str, text: str, all_of: str = "") -> Json:
    """Return a choice among what a query gives, one or more.

    Parameters
    ----------
    text
        SQL with one column.
    all_of
        What stands in the SQL for *All*, unquoted: the column itself, which is always among its own values,
        so that all are found however many there are. Without it there is no *All*, and the first is chosen.
    """
    return {
        "type": "query",
        "name": name,
        "label": label,
        "datasource": POSTGRES,
        "query": text,
        "refresh": _AFTER_TIME_RANGE_CHANGE,
        "sort": _AS_THE_QUERY_HAS_THEM,
        "multi": True,
        **_all(all_of),
    }


def from_list(name: str, label: str, values: list[str], all_of: str) -> Json:
    """Return a choice among fixed values, one or more; `all_of` as in `from_query`."""
    query = ",".join(values)
    return {"type": "custom", "name": name, "label": label, "query": query, "multi": True, **_all(all_of)}


def interval(values: list[str]) -> Json:
    """Return the choice of an interval, which is found by the time range unless one is chosen."""
    auto = {"selected": True, "text": "auto", "value": "$__auto_interval_interval"}
    return {
        "type": "interval",
        "name": "interval",
        "label": "Interval",
        "query": ",".join(values),
        "auto": True,
        "auto_count": 200,
        "auto_min": "1s",
        "current": auto,
        "refresh": _AFTER_TIME_RANGE_CHANGE,
    }


def text_box(name: str, label: str, value: str, description: str) -> Json:
    """Return a text that links and queries may have."""
    chosen = {"selected": True, "text": value, "value": value}
    return {
        "type": "textbox",
        "name": name,
        "label": label,
        "description": description,
        "query": value,
        "current": chosen,
        "options": [chosen],
    }


def _all(all_of: str) -> Json:
    if not all_of:
        return {"includeAll": False}
    current = {"selected": True, "text": ["All"], "value": ["$__all"]}
    return {"includeAll": True, "allValue": all_of, "current": current}
