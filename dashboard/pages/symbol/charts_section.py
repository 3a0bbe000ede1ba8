"""The charts of the symbol page with their legend, and what they leave out."""

import datetime as dt
from collections.abc import Callable, Iterable
from functools import partial

import pandas as pd
import streamlit as st

from dashboard.pages.symbol import state as symbol_state
from dashboard.pages.symbol.answers import Answers
from dashboard.pages.symbol.chart import SPAN, Chart
from dashboard.pages.symbol.expected import Expected
from dashboard.pages.symbol.expected_charts import rate_chart, size_chart
from dashboard.pages.symbol.feed_marks import BANDS, TICKS
from dashboard.pages.symbol.marker_layers import PICKED, are_small
from dashboard.pages.symbol.price_axis import PriceAxis, with_likely
from dashboard.pages.symbol.price_chart import Marks, price_chart
from dashboard.pages.symbol.queries import MAX_BEYOND, Beyond, to_prints
from dashboard.pages.symbol.state import CANDLES
from dashboard.pages.symbol.summary import summary_html
from dashboard.pages.symbol.volume_chart import volume_chart
from dashboard.ui.address_times import MINUTE
from dashboard.ui.legend import Entry, legend_html
from dashboard.ui.palette import CANCELLED_SIGN, CORRECTION_COLOR
from dashboard.ui.prices import price_text
from dashboard.ui.time_ranges import TimeRange

FINE = dt.timedelta(minutes=15)
"""A stretch up to that long is zoomed to by the second, a longer one by the minute."""

SECOND = dt.timedelta(seconds=1)

_DRAWN = "symbol-drawn"


def show_charts(answers: Answers, symbol: str, time_range: TimeRange, expected: Expected | None) -> None:
    """Show the charts of a time range that has trades; and what was expected, if that is asked for."""
    view = symbol_state.current()
    trades, anomalies = answers.trades, answers.anomalies
    if answers.axis is None:
        return
    axis = with_likely(answers.axis, None if expected is None else expected.likely)
    crosses = answers.cancelled.prints if view.cancelled else to_prints([])
    is_filtered = bool(view.labels or view.severities)
    st.html(
        summary_html(symbol, trades, anomalies, axis, time_range, expected)
        + legend_html(
            anomalies.by_severity,
            anomalies.by_label,
            candles=view.chart == CANDLES,
            happened=_legend_of_feed(answers.happened, len(crosses)),
            has_vwap=answers.vwap is not None,
            has_expected=expected is not None and expected.buckets is not None,
            chosen=(anomalies.chosen_by_severity, anomalies.chosen_by_label) if is_filtered else None,
        )
    )
    small = int(are_small(anomalies.rows, view.severities, view.selected).sum())
    told = [] if expected is None else [expected.remark]
    # In a place of their own, so that the charts keep theirs: one that moves is built again by the browser.
    with st.container():
        if remarks := [*_told_of_rows(answers), *_told_of_small(small), *told]:
            st.caption(" ".join(remarks))
        # A price just outside the market's range may still be on the axis, whose ends have some room.
        if answers.beyond is not None and (view.has_all_prices or prices_beyond(answers.beyond, axis)):
            _show_beyond(answers.beyond, axis)
    shown = f"{view.chart}-{time_range.start.timestamp():.3f}-{time_range.end.timestamp():.3f}"
    marks = Marks(
        anomalies.rows.assign(until=answers.ends),
        crosses,
        to_prints([]) if answers.beyond is None else _outside(answers.beyond.prints, axis),
        answers.happened,
        answers.vwap,
        expected,
    )
    # Each is sent before the next is made: the browser draws one while the server makes another.
    charts: dict[str, Callable[[], Chart | None]] = {
        "price": lambda: price_chart(
            trades,
            axis,
            marks,
            time_range,
            answers.said,
            candles=view.chart == CANDLES,
            chosen=view.severities,
            selected=view.selected,
        ),
        "volume": lambda: volume_chart(trades, time_range),
        "size": lambda: None if expected is None else size_chart(expected, trades.bucket_s, time_range),
        "rate": lambda: None if expected is None else rate_chart(expected, trades.bucket_s, time_range),
    }
    number = _number_of_charts(shown, charts)
    with st.container(gap=None):
        for name, make in charts.items():
            chart = make()
            if chart is None:
                continue
            key = _key(name, number)
            st.vega_lite_chart(
                spec=chart.to_dict(), width="stretch", key=key, on_select=partial(_take_selection, key)
            )
    st.caption("Drag across a chart to zoom in; click a marker to select it.")


def _key(name: str, number: int) -> str:
    return f"symbol-{name}-{number}"


def _number_of_charts(shown: str, names: Iterable[str]) -> int:
    """Return a number for the charts' keys: with another one, the browser builds other charts.

    As that takes several times as long as giving the charts other data, it is done only where something was
    dragged or clicked in one of them, and something else is shown now.

    Parameters
    ----------
    shown
        Names what the charts show: their kind and their time range.
    names
        The charts that there may be.
    """
    drawn: tuple[str, int] = st.session_state.get(_DRAWN, (shown, 0))
    before, number = drawn
    if shown != before and any(_selected(_key(name, number)) for name in names):
        number += 1
    st.session_state[_DRAWN] = shown, number
    return number


def _selected(key: str) -> bool:
    return any(st.session_state.get(key, {}).get("selection", {}).values())


def _told_of_rows(answers: Answers) -> list[str]:
    chosen, drawn = answers.anomalies.chosen, len(answers.anomalies.rows)
    if chosen == drawn:
        return []
    return [f"The charts show the {drawn:,} highest-scoring of {chosen:,} anomalies."]


def _told_of_small(small: int) -> list[str]:
    if not small:
        return []
    return [
        f"{small:,} low or info anomalies are small marks at the bottom edge; zoom in, or choose their "
        "severity, to see them at their prices."
    ]


def _show_beyond(beyond: Beyond, axis: PriceAxis) -> None:
    """Say which prices the axis leaves out, and let all be shown."""
    view = symbol_state.current()
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if view.has_all_prices:
            st.button(
                "Follow the market",
                icon=":material/compress:",
                type="tertiary",
                on_click=partial(symbol_state.change, has_all_prices=False),
                key="symbol-axis",
            )
            st.caption("The price axis shows every price, also those far off the market.")
            return
        st.button(
            "Show all prices",
            icon=":material/expand:",
            type="tertiary",
            on_click=partial(symbol_state.change, has_all_prices=True),
            key="symbol-axis",
        )
        st.caption(beyond_text(beyond, axis))


def _outside(prints: pd.DataFrame, axis: PriceAxis) -> pd.DataFrame:
    return prints[axis.shown.is_beyond(prints["price"])]


def prices_beyond(beyond: Beyond, axis: PriceAxis) -> list[str]:
    """Return those of the lowest and the highest price that are beyond the axis, as text."""
    ends = (beyond.lowest, beyond.highest)
    outside = [price for price in ends if price is not None and price not in axis.shown]
    return [price_text(price, axis.decimals) for price in dict.fromkeys(outside)]


def beyond_text(beyond: Beyond, axis: PriceAxis) -> str:
    """Say which prices are beyond the axis, such as `1 print at 1,444.90 is beyond the price axis.`.

    There is one at least.
    """
    prices = prices_beyond(beyond, axis)
    few = "" if beyond.total <= MAX_BEYOND else f" The first {MAX_BEYOND} are marked at its edge."
    if beyond.total == 1:
        return f"1 print at {prices[0]} is beyond the price axis, and marked at its edge."
    between = " and ".join(prices) if beyond.total == 2 else " to ".join(prices)
    return f"{beyond.total:,} prints at {between} are beyond the price axis.{few}"


def _legend_of_feed(happened: pd.DataFrame, crosses: int) -> list[Entry]:
    """Return the legend's entries for what happened to the feed, as far as there is any."""
    counts = happened["kind"].value_counts()
    signs = [("▮", BANDS), ("▲", TICKS)]
    entries = [
        (sign, color, str(kind), int(counts[kind]))
        for sign, colors in signs
        for kind, color in colors.items()
        if kind in counts
    ]
    if crosses:
        entries.append((CANCELLED_SIGN, CORRECTION_COLOR, "Cancelled by the venue", crosses))
    return entries


def _take_selection(key: str) -> None:
    """Zoom to a time range dragged in a chart; select a clicked marker."""
    selection = st.session_state[key]["selection"]
    span = next(iter((selection.get(SPAN) or {}).values()), None)
    if span:
        start, end = (dt.datetime.fromtimestamp(ms / 1000, dt.UTC) for ms in sorted(span))
        symbol_state.change(time_range=rounded(start, end))
    elif picked := selection.get(PICKED):
        symbol_state.change(selected=picked[0]["trade_id"])


def rounded(start: dt.datetime, end: dt.datetime) -> TimeRange:
    """Widen a range to whole minutes, or to whole seconds if it is short."""
    if end - start <= FINE:
        return TimeRange(start.replace(microsecond=0), end.replace(microsecond=0) + SECOND)
    first, last = (time.replace(second=0, microsecond=0) for time in (start, end))
    return TimeRange(first, last + MINUTE)
