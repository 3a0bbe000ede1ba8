"""Filters and an order of anomalies as parameters of an address, and back."""

import datetime as dt
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode

from dashboard.server.anomaly_search import (
    MAX_TEXT,
    STANDINGS,
    VERDICTS,
    Filters,
    Order,
    SortBy,
)
from services.contracts.anomaly import Severity
from services.contracts.detectors import LABELS

MAX_SYMBOLS = 20
SEVERITIES = tuple(reversed(Severity))
"""The most urgent first."""

NAMES = ("symbol", "from", "to", "label", "severity", "score", "verdict", "venue", "text", "sort", "way")


def to_parameters(filters: Filters, order: Order) -> dict[str, str]:
    """Return the parameters of a search, without those that equal the default."""
    has_scores = (filters.min_score, filters.max_score) != (0.0, 1.0)
    texts = {
        "symbol": ",".join(filters.symbols),
        "from": _time_text(filters.start),
        "to": _time_text(filters.end),
        "label": ",".join(filters.labels),
        "severity": ",".join(filters.severities),
        "score": f"{filters.min_score:g},{filters.max_score:g}" if has_scores else "",
        "verdict": ",".join(filters.verdicts),
        "venue": ",".join(filters.standings),
        "text": filters.text,
        "sort": "" if order.by is SortBy.TIME else str(order.by),
        "way": "" if order.is_descending else "asc",
    }
    return {name: text for name, text in texts.items() if text}


def to_reference(filters: Filters, order: Order) -> str:
    """Return a search as one text, for the address of a page that belongs to it."""
    return urlencode(to_parameters(filters, order)) or "way=desc"


def from_reference(text: str) -> tuple[Filters, Order]:
    """Return the search of a text that `to_reference` made.

    Raises
    ------
    ValueError
        The text is not one; `KeyError` for some.
    """
    given = dict(parse_qsl(text, keep_blank_values=True, strict_parsing=True))
    if not given or not given.keys() <= set(NAMES):
        raise ValueError(text)
    low, high = to_scores(given.get("score", "0,1"))
    filters = Filters(
        tuple(to_symbols(given.get("symbol", ""))),
        _utc(given.get("from")),
        _utc(given.get("to")),
        _choices(given.get("label"), LABELS),
        _choices(given.get("severity"), SEVERITIES),
        low,
        high,
        _choices(given.get("verdict"), VERDICTS),
        _choices(given.get("venue"), STANDINGS),
        given.get("text", "")[:MAX_TEXT],
    )
    return filters, Order(SortBy(given.get("sort", SortBy.TIME)), to_way(given.get("way", "desc")))


def to_symbols(text: str) -> list[str]:
    """Return symbols that commas separate, each once."""
    return [symbol for symbol in dict.fromkeys(text.split(",")) if symbol][:MAX_SYMBOLS]


def to_time(text: str) -> dt.datetime:
    """Return a time by the minute, UTC, without a zone as Streamlit's controls have it."""
    time = dt.datetime.fromisoformat(text)
    if time.tzinfo is not None:
        time = time.astimezone(dt.UTC).replace(tzinfo=None)
    if not 1970 <= time.year <= 2200:
        raise ValueError(text)
    return time.replace(second=0, microsecond=0)


def to_scores(text: str) -> tuple[float, float]:
    """Return the lowest and the highest score."""
    low, high = map(float, text.split(","))
    if not 0 <= low <= high <= 1:
        raise ValueError(text)
    return low, high


def to_way(text: str) -> bool:
    """Return whether the order is a descending one."""
    return {"asc": False, "desc": True}[text]


def _utc(text: str | None) -> dt.datetime | None:
    return to_time(text).replace(tzinfo=dt.UTC) if text else None


def _choices(text: str | None, options: Sequence[Any]) -> tuple[str, ...]:
    chosen = set(text.split(",")) if text else set()
    if not chosen <= set(options):
        raise ValueError(text)
    return tuple(option for option in options if option in chosen)


def _time_text(time: dt.datetime | None) -> str:
    return "" if time is None else f"{time:%Y-%m-%dT%H:%M}"
