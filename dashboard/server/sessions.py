"""Sessions with trades, and what was traded in them."""

import datetime as dt
from dataclasses import dataclass
from functools import partial

from dashboard.server.elastic import aggregate, counts_of, during, from_ms, together
from dashboard.ui.exchange import exchange
from dashboard.ui.time_ranges import TimeRange
from services.common.elastic.client import Elasticsearch
from services.contracts.indices import ANOMALIES_INDICES, TRADES_INDICES

MAX_SESSIONS_DAYS = 1100
"""Sessions older than that, seen from the newest, are not offered."""

MAX_SYMBOLS = 1000


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

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects the request.
    """
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
    days = [dt.date.fromisoformat(bucket["key_as_string"]) for bucket in reversed(buckets)]
    return [day for day in days if days[0] - day <= dt.timedelta(days=MAX_SESSIONS_DAYS)]


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
        partial(aggregate, client, TRADES_INDICES, filters, symbols | ends),
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
