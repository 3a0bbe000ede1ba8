"""Queries of Postgres and of Prometheus, as Grafana keeps them, and what limits all SQL to the time range."""

from enum import StrEnum
from textwrap import indent
from typing import Any

Json = dict[str, Any]
"""An object of Grafana's, as its JSON has it."""

POSTGRES: Json = {"type": "grafana-postgresql-datasource", "uid": "tapewatch-postgres"}
PROMETHEUS: Json = {"type": "prometheus", "uid": "tapewatch-prometheus"}

IN_DAYS = "day BETWEEN $__timeFrom()::date AND $__timeTo()::date"
"""Grafana writes times in UTC, and `day` is the UTC day: Postgres knows the partitions while it plans."""

IN_RANGE = f"{IN_DAYS} AND $__timeFilter(time)"

OF_INTERVAL = "date_bin('$interval', time, '1970-01-01Z')"
"""The start of a row's interval, in a third of the time of `$__timeGroup`, which computes with decimals."""

MOST_POINTS = 10_000
"""Rows of a chart over time; beyond, the oldest are left out."""


class Format(StrEnum):
    """What Grafana makes of the rows."""

    TABLE = "table"
    OVER_TIME = "time_series"
    """A column `time`; a text tells series apart, and each column of numbers is one of them."""


def sql(text: str, form: Format = Format.TABLE, ref_id: str = "A") -> Json:
    """Return a query of Postgres."""
    return {
        "refId": ref_id,
        "datasource": POSTGRES,
        "editorMode": "code",
        "format": str(form),
        "rawQuery": True,
        "rawSql": text,
    }


def over_time(text: str, ref_id: str = "A") -> Json:
    """Return a query for a chart over time: at most `MOST_POINTS` rows, the newest ones, in order of time.

    Parameters
    ----------
    text
        SQL whose first column is the time, without an order and a limit.
    """
    newest = f"{text.strip()}\nORDER BY 1 DESC LIMIT {MOST_POINTS}"
    text = f"SELECT * FROM (\n{indent(newest, '  ')}\n) AS newest\nORDER BY 1"
    return sql(text, Format.OVER_TIME, ref_id)


def promql(expression: str, legend: str, ref_id: str = "A", *, is_instant: bool = False) -> Json:
    """Return a query of Prometheus.

    Parameters
    ----------
    expression
        PromQL.
    legend
        Name of each series; `{{label}}` stands for a label's value.
    is_instant
        Whether it is asked for now alone, not for the whole range.
    """
    return {
        "refId": ref_id,
        "datasource": PROMETHEUS,
        "editorMode": "code",
        "expr": expression,
        "legendFormat": legend,
        "instant": is_instant,
        "range": not is_instant,
    }
