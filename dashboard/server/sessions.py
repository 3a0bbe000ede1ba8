"""Sessions with trades, and what was traded in them."""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import partial

from dashboard.server import plausible_times
from dashboard.server.elastic import aggregate, counts_of, during, from_ms, together
from dashboard.ui.exchange import exchange
from dashboard.ui.time_ranges import TimeRange
from services.common.elastic.client import Elasticsearch
from services.contracts.indices import ANOMALIES_INDICES, TRADES_INDICES

MAX_SESSIONS_DAYS = 1100
"""Sessions older than that, seen from the newest, are not offered."""

MAX_SYMBOLS = 1000


@dataclass(frozen=True)
class SetAside:
    """A day that cannot be true, which must not stand for the newest or the oldest session."""

    day: dt.date
    trades: int


@dataclass(frozen=True)
class PeriodSummary:
    """Symbols and times of the trades in a period."""

    symbols: list[str]
    """Symbols traded, in alphabetical order; at most `MAX_SYMBOLS`, those with the most trades."""
    most_anomalous: str
    """The symbol with the most anomalies; without anomalies, the one with the most trades."""
    first_trade: dt.datetime
    last_trade: dt.datetime


def find_sessions(client: Elasticsearch) -> list[dt.date]:
    """Return the days with trades, newest first, in the exchange's time zone; empty if there are no trades.

    Days that cannot be true are not among them, unless there are no others.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    return _offered(_count_days(client))


def find_set_aside(client: Elasticsearch) -> list[SetAside]:
    """Return the days with trades that are no sessions as they cannot be true, newest first.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    counts = _count_days(client)
    possible = _possible(counts)
    offered = _offered(counts)
    return [SetAside(day, counts[day]) for day in counts if day not in possible and day not in offered]


def same_trades(client: Elasticsearch, time_range: TimeRange) -> str | None:
    """Name the trades that the days of a time range have: another name as soon as one comes or goes.

    Returns
    -------
    str or None
        As `aggregate` takes it; None without trades.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    first, last = (time.astimezone(exchange().zone).date() for time in (time_range.start, time_range.end))
    counts = _count_days(client)
    return " ".join(f"{day}:{count}" for day, count in counts.items() if first <= day <= last) or None


def _offered(counts: Mapping[dt.date, int]) -> list[dt.date]:
    days = _possible(counts) or [*counts]
    return [day for day in days if days[0] - day <= dt.timedelta(days=MAX_SESSIONS_DAYS)]


def _possible(days: Collection[dt.date]) -> list[dt.date]:
    latest = dt.datetime.now(exchange().zone).date()
    if any(day > latest for day in days):  # else the settings, whose reading takes milliseconds, say no more
        latest = plausible_times.latest().astimezone(exchange().zone).date()
    return [day for day in days if plausible_times.EARLIEST <= day <= latest]


def _count_days(client: Elasticsearch) -> dict[dt.date, int]:
    """Return how many trades each day has, newest first."""
    answer = aggregate(
        client,
        TRADES_INDICES,
        [],
        {
            "days": {
                "date_histogram": {
                    "field": "@timestamp",
                    "calendar_interval": "day",
                    "time_zone": exchange().time_zone,
                    "format": "yyyy-MM-dd",
                    "min_doc_count": 1,
                }
            }
        },
    )
    buckets = answer["days"]["buckets"] if answer else []
    return {
        dt.date.fromisoformat(bucket["key_as_string"]): bucket["doc_count"] for bucket in reversed(buckets)
    }


def summarize_period(client: Elasticsearch, time_range: TimeRange) -> PeriodSummary | None:
    """Return what was traded in a period, or None if nothing was.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
    filters = [during(time_range)]
    symbols = {"symbols": {"terms": {"field": "symbol", "size": MAX_SYMBOLS}}}
    ends = {"first": {"min": {"field": "@timestamp"}}, "last": {"max": {"field": "@timestamp"}}}
    trades, anomalies = together(
        partial(aggregate, client, TRADES_INDICES, filters, symbols | ends, same_trades(client, time_range)),
        partial(aggregate, client, ANOMALIES_INDICES, filters, symbols),
    )
    by_trades = counts_of(trades, "symbols")
    if not by_trades:
        return None
    by_anomalies = counts_of(anomalies, "symbols")
    most_anomalous = next(symbol for symbol in (*by_anomalies, *by_trades) if symbol in by_trades)
    return PeriodSummary(
        sorted(by_trades),
        most_anomalous,
        from_ms(trades["first"]["value"]),
        from_ms(trades["last"]["value"]),
    )
