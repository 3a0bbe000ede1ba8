"""The layers of the price chart that draw prices: as a line with the range, or as candles."""

from typing import Any

import altair as alt
import pandas as pd

from dashboard.pages.symbol.chart import (
    AXIS,
    SILENT,
    SPAN,
    Y_AXIS_WIDTH,
    axis_mark,
    span_tooltip,
    spans,
    top_axis,
)
from dashboard.pages.symbol.price_axis import PriceAxis
from dashboard.pages.symbol.queries import TradeSummary
from dashboard.ui.palette import CANDLE_COLORS, PRICE_COLOR
from dashboard.ui.prices import price_text

GAP_S = 1800.0
"""Without a trade for so long, the price line breaks: the market was closed, or as good as."""

_CANDLE_MARGIN = 0.14
"""Share of a bucket that stays free on both sides of a candle's body."""


def price_frame(trades: TradeSummary, axis: PriceAxis, candles: bool) -> pd.DataFrame:
    """Lay buckets out as they are drawn: prices within the axis, and as text what they are."""
    found = trades.buckets
    width = found["end"] - found["start"]
    names = ["low", "high", "last", *(["first"] if candles else [])]
    # Only what is drawn: the browser takes every value out one by one.
    buckets = found[["start", "end", "trades"]].assign(
        middle=found["start"] + width / 2,
        **spans(found),
        **{name: axis.shown.clip(found[name]) for name in names},
        **{f"{name}_text": [price_text(price, axis.decimals) for price in found[name]] for name in names},
    )
    if candles:
        margin = width * _CANDLE_MARGIN
        return buckets.assign(
            left=found["start"] + margin,
            right=found["end"] - margin,
            rose=found["last"] >= found["first"],
        )
    return buckets.assign(segment=segments(found, trades.bucket_s))


def segments(buckets: pd.DataFrame, bucket_s: float) -> pd.Series:
    """Give each stretch that a line may connect a number.

    Parameters
    ----------
    buckets
        n rows in order of time, with `start` and `end`.
    bucket_s
        Seconds.

    Returns
    -------
    pandas.Series
        n integers from 0 on; the next stretch begins after `GAP_S`, and two buckets, without trades.
    """
    gap_s = (buckets["start"] - buckets["end"].shift()).dt.total_seconds()
    return (gap_s > max(GAP_S, 2 * bucket_s)).cumsum().rename("segment")


def axis_layer() -> alt.Chart:
    """Return an unseen layer that gives the price axis its ends and its decimals, which `AXIS` holds."""
    chart: alt.Chart = axis_mark().encode(
        x=top_axis("start"),
        x2="end:T",
        y=alt.Y(
            "low:Q",
            title="Price",
            scale=alt.Scale(zero=False, nice=False),
            axis=alt.Axis(
                minExtent=Y_AXIS_WIDTH,
                maxExtent=Y_AXIS_WIDTH,
                tickCount=6,
                tickMinStep=alt.ExprRef(f"pow(10, -data('{AXIS}')[0].decimals)"),
                labelExpr=f"format(datum.value, ',.' + data('{AXIS}')[0].decimals + 'f')",
            ),
        ),
        y2="high:Q",
    )
    return chart


def line_layers() -> list[alt.Chart]:
    """Return the last prices as a line, above the range of each bucket."""
    # Boxes, not an area: an area would slope through times without trades. The stroke shows a bucket
    # with a single price, whose box has no height.
    band = (
        alt.Chart(alt.NamedData("buckets"))
        .mark_rect(
            **SILENT, color=PRICE_COLOR, opacity=0.3, stroke=PRICE_COLOR, strokeWidth=0.8, tooltip=True
        )
        .encode(
            x=top_axis("start"),
            x2="end:T",
            y="low:Q",
            y2="high:Q",
            tooltip=_tooltip("last", "low", "high"),
        )
        .add_params(alt.selection_interval(SPAN, encodings=["x"]))
    )
    line = (
        alt.Chart(alt.NamedData("buckets"))
        .mark_line(**SILENT, color=PRICE_COLOR, strokeWidth=1.4, interpolate="linear")
        .encode(x=alt.X("middle:T"), y=alt.Y("last:Q"), detail="segment:N")
    )
    return [band, line]


def candle_layers() -> list[alt.Chart]:
    """Return bodies and wicks of candles."""
    # Not by a scale: the markers above have the only scale of colours.
    color = alt.condition("datum.rose", alt.value(CANDLE_COLORS["up"]), alt.value(CANDLE_COLORS["down"]))
    tooltip = _tooltip("first", "last", "low", "high")
    # The stroke shows a body without height.
    body = (
        alt.Chart(alt.NamedData("candles"))
        .mark_rect(**SILENT, strokeWidth=1.2)
        .encode(
            x=top_axis("left"),
            x2="right:T",
            y="first:Q",
            y2="last:Q",
            color=color,
            stroke=color,
            tooltip=tooltip,
        )
    )
    wick = (
        alt.Chart(alt.NamedData("candles"))
        .mark_rule(**SILENT, strokeWidth=1.2)
        .encode(x=alt.X("middle:T"), y=alt.Y("low:Q"), y2="high:Q", color=color, tooltip=tooltip)
    )
    return [body, wick]


_TITLES = {"first": "First price", "last": "Last price", "low": "Lowest", "high": "Highest"}


def _tooltip(*prices: str) -> list[Any]:
    return [
        *span_tooltip(),
        *(alt.Tooltip(f"{name}_text:N", title=_TITLES[name]) for name in prices),
        alt.Tooltip("trades:Q", title="Trades", format=","),
    ]
