"""The ranked symbols and the watched ones as HTML in which what comes from the data is only text."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from dashboard.pages.overview.lines import at, chips_html, severity_html
from dashboard.pages.overview.links import symbol_url
from dashboard.pages.overview.queries import Price, Ranking
from dashboard.pages.overview.sparkline import sparkline_html
from dashboard.pages.overview.state import View
from dashboard.pages.overview.watched import Watched
from dashboard.ui.anomaly_table import anomaly_url
from dashboard.ui.decimals import decimals_of
from dashboard.ui.prices import price_text
from dashboard.ui.time_ranges import TimeRange

_HEADS = ("Symbol, worst severity", "Anomalies", "Last price, change", "Last anomaly")


def ranking_html(ranking: Ranking, prices: Mapping[str, Price], view: View, with_day: bool) -> str:
    """Return a row for each ranked symbol, the worst first.

    Parameters
    ----------
    ranking
        The symbols.
    prices
        By symbol.
    view
        The view, whose session, time and filters the links keep.
    with_day
        Whether to say on which day the last anomaly was.
    """
    rows = [
        _rank_html(symbol, ranking.by_severity[symbol], prices.get(symbol), row, view, with_day)
        for symbol, row in zip(ranking.by_severity, ranking.last.to_dict("records"), strict=True)
    ]
    heads = "".join(f"<div>{head}</div>" for head in _HEADS)
    return f'<div class="tw-rank tw-heads">{heads}</div>{"".join(rows)}'


def _rank_html(
    symbol: str,
    by_severity: Mapping[str, int],
    price: Price | None,
    last: Mapping[Any, Any],
    view: View,
    with_day: bool,
) -> str:
    return (
        '<div class="tw-rank">'
        f'<div><a href="{escape(symbol_url(view, symbol))}" target="_self"><b>{escape(symbol)}</b></a> '
        f'<span class="tw-faint">{severity_html(next(iter(by_severity)))}</span></div>'
        f"<div>{chips_html(by_severity)}</div>"
        f'<div class="tw-price">{_ranked_price(price)}</div>'
        f'<div class="tw-last"><a href="{escape(anomaly_url(last["trade_id"]))}" target="_self">'
        f'<span class="tw-faint">{escape(at(last["time"], with_day))}</span> '
        f'<span class="tw-said">{escape(last["message"])}</span></a></div></div>'
    )


def _ranked_price(price: Price | None) -> str:
    if price is None:
        return ""
    return price_html(price, price_text(price.last, decimals_of(price.first, price.last)))


def cards_html(watched: Sequence[Watched], view: View, time_range: TimeRange, with_day: bool) -> str:
    """Return a card with a small chart for each watched symbol, a link to its page."""
    cards = "".join(_card_html(one, view, time_range, with_day) for one in watched)
    return f'<div class="tw-cards">{cards}</div>'


def _card_html(watched: Watched, view: View, time_range: TimeRange, with_day: bool) -> str:
    shown = ""
    chart = '<div class="tw-faint">No trades in this time.</div>'
    if watched.first is not None:
        prices = [price for _, price in watched.prices]
        price = Price(watched.first, prices[-1])
        last_price = price_text(price.last, decimals_of(watched.first, *prices))
        shown = price_html(price, last_price)
        count = sum(watched.by_severity.values())
        anomalies = "1 anomaly" if count == 1 else f"{count:,} anomalies"
        text = f"{watched.symbol}: {last_price} ({change_text(price)}), {anomalies}"
        chart = sparkline_html(watched, time_range, text)
    counts = chips_html(watched.by_severity)
    last = '<div class="tw-faint">No anomalies in this time.</div>'
    if watched.last is not None:
        when = escape(at(watched.last["time"], with_day))
        last = (
            f'<div>{counts}</div><div class="tw-faint">Last: {when}</div>'
            f'<div class="tw-said">{escape(watched.last["message"])}</div>'
        )
    return (
        f'<a class="tw-card" href="{escape(symbol_url(view, watched.symbol))}" target="_self">'
        f'<div class="tw-top"><b>{escape(watched.symbol)}</b>'
        f"<span>{shown}</span></div>{chart}{last}</a>"
    )


def price_html(price: Price, last: str) -> str:
    """Return the last price, as it is written, and faintly the change since the first."""
    return f'{last} <span class="tw-faint">{change_text(price)}</span>'


def change_text(price: Price) -> str:
    """Return how far the price went in the time shown, such as `+1.20%`."""
    return f"{100 * price.change:+,.2f}%"
