"""What Grafana makes of a panel's SQL before Postgres sees it: variables first, then macros.

As its manual says of data source PostgreSQL and of the syntax of variables; only what the dashboards use.
"""

import datetime as dt
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Chosen = str | Sequence[str]
"""A text is inserted as it is, as Grafana does with one value and with the value for *All*."""

_VARIABLE = re.compile(r"\$\{(\w+)(?::(\w+))?\}|\$(?!__)(\w+)")
_MACRO = re.compile(r"\$__(\w+)\(([^)]*)\)")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True)
class View:
    """What is chosen above a dashboard.

    Parameters
    ----------
    start, end
        The time range.
    variables
        What is chosen, by the variables' names.
    """

    start: dt.datetime
    end: dt.datetime
    variables: Mapping[str, Chosen]


def expand(text: str, view: View) -> str:
    """Return the SQL that Postgres gets.

    Raises
    ------
    ValueError
        A variable, its format or a macro is not known here, so that Grafana might make something else of it.
    """
    return _MACRO.sub(lambda found: _macro(found, view), fill_in(text, view.variables))


def fill_in(text: str, variables: Mapping[str, Chosen]) -> str:
    """Return a text with its variables' values."""

    def value(found: re.Match[str]) -> str:
        name, form = found[1] or found[3], found[2]
        if name not in variables:
            raise ValueError(f"no variable {name}: {found[0]}")
        chosen = variables[name]
        if isinstance(chosen, str):
            return chosen
        if form != "sqlstring":
            raise ValueError(f"several values, and no format for SQL: {found[0]}")
        return ",".join(f"'{_escaped(one)}'" for one in chosen)

    return _VARIABLE.sub(value, text)


def seconds(interval: str) -> float:
    """Return the length of an interval such as `10m`."""
    found = re.fullmatch(r"(\d+)(ms|s|m|h|d)", interval)
    if not found:
        raise ValueError(f"no interval: {interval}")
    return int(found[1]) * _SECONDS[found[2]]


def _escaped(text: str) -> str:
    return text.replace("'", "''")


def _macro(found: re.Match[str], view: View) -> str:
    name, arguments = found[1], [one.strip() for one in found[2].split(",")]
    if name not in _MACROS:
        raise ValueError(f"no macro of that name: {found[0]}")
    return _MACROS[name](view, *arguments)


def _time(at: dt.datetime) -> str:
    """Write a time as Go's RFC3339Nano does, in UTC and without zeros at the end."""
    text = (
        at.astimezone(dt.UTC).replace(tzinfo=None).isoformat(timespec="microseconds").rstrip("0").rstrip(".")
    )
    return f"'{text}Z'"


def _time_group(view: View, column: str, interval: str, _fill: str = "") -> str:
    """Round down; what fills the pauses is done with the rows, not by the SQL."""
    length = f"{seconds(interval.strip(chr(39))):g}"
    return f"floor(extract(epoch from {column})/{length})*{length}"


_MACROS: dict[str, Callable[..., str]] = {
    "timeFilter": lambda view, column: f"{column} BETWEEN {_time(view.start)} AND {_time(view.end)}",
    "timeFrom": lambda view, _: _time(view.start),
    "timeTo": lambda view, _: _time(view.end),
    "timeGroup": _time_group,
    "timeGroupAlias": lambda view, *arguments: f'{_time_group(view, *arguments)} AS "time"',
}
