"""What the symbol page asks Elasticsearch for a view."""

import datetime as dt
from dataclasses import dataclass
from functools import partial

import pandas as pd

from dashboard.pages.symbol.feed_marks import feed_marks
from dashboard.pages.symbol.marker_layers import Said
from dashboard.pages.symbol.price_axis import PriceAxis, are_few, market_of, price_axis
from dashboard.pages.symbol.queries import (
    AnomalyList,
    AnomalySummary,
    Beyond,
    Cancelled,
    TradeSummary,
    count_urgent,
    find_anomalies,
    find_beyond,
    find_cancelled,
    find_feed_events,
    list_anomalies,
    summarize_trades,
)
from dashboard.pages.symbol.state import ALL_SYMBOLS, CANDLES, HIGHEST_FIRST, View
from dashboard.pages.symbol.vwap import find_vwap
from dashboard.server.elastic import together
from dashboard.server.stretches import find_ends
from dashboard.ui.time_ranges import Period, Rolling, TimeRange
from services.common.elastic.client import Elasticsearch
from services.review.corrections import corrections_of
from services.review.verdicts import verdicts_of


@dataclass(frozen=True)
class Question:
    """What the page shows."""

    view: View
    watched: tuple[str, ...]
    """The watched symbols."""
    symbol: str
    period: Period | Rolling
    time_range: TimeRange
    """Within the period."""


@dataclass(frozen=True)
class Answers:
    """Elasticsearch's answers for a view."""

    trades: TradeSummary
    anomalies: AnomalySummary
    listed: AnomalyList
    urgent: dict[str, int]
    """Number of urgent anomalies by watched symbol, in the whole period."""
    cancelled: Cancelled
    happened: pd.DataFrame
    """What happened to the feed, as `feed_marks` returns it."""
    beyond: Beyond | None
    """The prints that are far off the market; None without any, or where they are too many for that."""
    axis: PriceAxis | None
    """What the price axis shows; None without trades."""
    ends: pd.Series
    """When the last print of each anomaly in `anomalies.rows` was, as `find_ends` returns it."""
    said: Said
    """Of the anomalies that are marked or listed, and of cancelled prints."""
    vwap: pd.DataFrame | None
    """As `find_vwap` returns it; None where it is not asked for."""


def ask(client: Elasticsearch, question: Question) -> Answers:
    """Ask for all that the page shows of a symbol; needs nothing of the visitor's session.

    Raises
    ------
    TapewatchError
        Elasticsearch does not answer, or rejects a request.
    """
    view, symbol = question.view, question.symbol
    period, time_range = question.period, question.time_range
    filters = (view.labels, view.severities)
    of_whom = None if view.listed == ALL_SYMBOLS else symbol
    first = None if view.cancelled else find_cancelled(client, symbol, time_range)
    hidden = () if first is None else tuple(first.corrections)
    trades, anomalies, listed, urgent, events, cancelled = together(
        partial(summarize_trades, client, symbol, time_range, candles=view.chart == CANDLES, hidden=hidden),
        partial(find_anomalies, client, symbol, time_range, *filters, hidden),
        partial(
            list_anomalies,
            client,
            of_whom,
            time_range,
            *filters,
            hidden,
            by_score=view.order == HIGHEST_FIRST,
        ),
        partial(count_urgent, client, question.watched, period.time_range),
        partial(find_feed_events, client, symbol, time_range),
        lambda: first or find_cancelled(client, symbol, time_range),
    )
    market = market_of(trades) if trades.trades else None
    shown = sorted({*listed.rows["trade_id"], *anomalies.rows["trade_id"]})
    verdicts, corrections, ends, beyond, vwap = together(
        partial(verdicts_of, client, shown),
        partial(corrections_of, client, shown),
        partial(find_ends, client, anomalies.rows),
        lambda: None if market is None else find_beyond(client, symbol, time_range, market, hidden),
        lambda: (
            find_vwap(client, symbol, period.time_range, time_range, trades.bucket_s, hidden)
            if view.has_vwap and trades.trades
            else None
        ),
    )
    if beyond is not None and not are_few(beyond, trades.trades):
        beyond = None
    followed = None if beyond is None or view.has_all_prices else market
    return Answers(
        trades,
        anomalies,
        listed,
        urgent,
        cancelled,
        feed_marks(events, trades.sources, time_range, dt.datetime.now(dt.UTC)),
        beyond,
        price_axis(trades, followed) if trades.trades else None,
        ends,
        Said(verdicts, cancelled.corrections | corrections),
        vwap,
    )
