"""The overview's chart of prices with the anomalies on them; makes no queries."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import altair as alt
import pandas as pd

from dashboard.pages.overview.chart import (
    CHARTS_KEPT,
    SILENT,
    SPAN,
    Y_AXIS_WIDTH,
    Chart,
    exchange_axis,
    serializable,
    span_tooltip,
    spans,
)
from dashboard.pages.overview.feed_marks import BANDS, TICKS
from dashboard.pages.overview.queries import AnomalySummary, TradeSummary
from dashboard.ui.encodings import label_shape, severity_color
from dashboard.ui.exchange import exchange
from dashboard.ui.palette import (
    CANDLE_COLORS,
    CORRECTION_COLOR,
    LABEL_SHAPES,
    PRICE_COLOR,
    RING_COLOR,
    SEVERITY_SIZES,
    label_shapes,
)
from dashboard.ui.time_ranges import TimeRange
from dashboard.ui.times import format_times
from services.review.corrections import VenueCorrection
from services.review.verdicts import Verdict

PRICE_HEIGHT = 340

PICKED = "picked"
"""Selection in the price chart: the marker that was clicked."""

GAP_S = 1800.0
"""Without a trade for so long, the price line breaks: the market was closed, or as good as."""

_TICK_ABOVE_AXIS = 8
_CROSS = "M-1,-1L1,1M-1,1L1,-1"
_BAND_TITLE_WIDTH = 0.08
"""Share of the time axis that a band takes at least to have its title written in it."""

_CANDLE_MARGIN = 0.14
"""Share of a bucket that stays free on both sides of a candle's body."""

_PRICE_FORMAT = ",.10~g"


def price_chart(
    trades: TradeSummary,
    anomalies: AnomalySummary,
    time_range: TimeRange,
    verdicts: Mapping[str, Verdict],
    corrections: Mapping[str, VenueCorrection] | None = None,
    crosses: pd.DataFrame | None = None,
    happened: pd.DataFrame | None = None,
    candles: bool = False,
    selected: str | None = None,
) -> Chart:
    """Draw prices and the anomalies on them, above the clock of the exchange.

    Parameters
    ----------
    trades
        With one bucket at least.
    anomalies
        Those in `rows` are marked.
    time_range
        What the time axis shows.
    verdicts
        On the anomalies, by `trade_id`.
    corrections
        Of trades that are marked, by `trade_id`.
    crosses
        Cancelled prints to be marked, as in `Cancelled.prints`.
    happened
        What happened to the feed, as `feed_marks` returns it.
    candles
        Draw from which price to which each bucket went, and its range; `trades` must have been summarized for
        that. Else draw the last price as a line, and the range.
    selected
        The `trade_id` of an anomaly that gets a ring.
    """
    found = trades.buckets
    width = found["end"] - found["start"]
    # Only what is drawn: the browser takes every value out one by one.
    buckets = found[["start", "end", "low", "high", "last", "trades"]].assign(
        middle=found["start"] + width / 2, **spans(found)
    )
    if candles:
        margin = width * _CANDLE_MARGIN
        buckets = buckets.assign(
            first=found["first"],
            left=found["start"] + margin,
            right=found["end"] - margin,
            rose=found["last"] >= found["first"],
        )
    else:
        buckets = buckets.assign(segment=segments(found, trades.bucket_s))
    labels = label_shapes([*LABEL_SHAPES, *anomalies.rows["label"]])
    said = corrections or {}
    bands, ticks = _feed_frames(happened, time_range)
    return Chart(
        _price_spec(time_range, candles, tuple(labels)),
        {
            "buckets": serializable(buckets),
            "marks": serializable(_marks(anomalies, verdicts, said, selected)),
            "crosses": serializable(_crosses(crosses, said)),
            "bands": serializable(bands),
            "ticks": serializable(ticks),
        },
    )


def segments(buckets: pd.DataFrame, bucket_s: int) -> pd.Series:
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


@lru_cache(maxsize=CHARTS_KEPT)
def _price_spec(time_range: TimeRange, candles: bool, labels: tuple[str, ...]) -> dict[str, Any]:
    layers = _candles(time_range) if candles else _line(time_range)
    markers = _markers(labels).add_params(
        alt.selection_point(PICKED, fields=["trade_id"], on="click", clear=False)
    )
    below, above = _feed_layers(time_range)
    return (
        alt.layer(*below, *layers, *above, markers, _cross_layer())
        .properties(height=PRICE_HEIGHT, width="container")
        .to_dict()
    )


def _feed_frames(happened: pd.DataFrame | None, time_range: TimeRange) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return stretches of time and moments, with their texts."""
    if happened is None:
        happened = pd.DataFrame(columns=["start", "end", "kind", "text"])
        happened = happened.astype({"start": "datetime64[ns, UTC]", "end": "datetime64[ns, UTC]"})
    marks = happened.assign(utc=format_times(happened["start"]), until=format_times(happened["end"]))
    bands = marks[marks["kind"].isin(list(BANDS))]
    is_wide = bands["end"] - bands["start"] >= (time_range.end - time_range.start) * _BAND_TITLE_WIDTH
    return bands.assign(title=bands["kind"].where(is_wide, "")), marks[marks["kind"].isin(list(TICKS))]


def _by_kind(colors: Mapping[Any, str]) -> list[dict[str, Any]]:
    # Not by a scale: the markers have the only scale of colours.
    return [{"test": f"datum.kind == '{kind}'", "value": color} for kind, color in colors.items()]


def _feed_layers(time_range: TimeRange) -> tuple[Sequence[alt.Chart], Sequence[alt.Chart]]:
    """Return what is drawn of a feed below the prices, and above."""
    tooltip = [
        alt.Tooltip("kind:N", title="Feed"),
        alt.Tooltip("text:N", title="Why"),
        alt.Tooltip("utc:N", title="From (UTC)"),
        alt.Tooltip("until:N", title="To (UTC)"),
    ]
    color = _by_kind(BANDS)
    # The stroke shows what is too short to have a width.
    bands = (
        alt.Chart(alt.NamedData("bands"))
        .mark_rect(**SILENT, fillOpacity=0.16, strokeOpacity=0.6, strokeWidth=1, clip=True)
        .encode(
            x=exchange_axis("start", time_range),
            x2="end:T",
            y=alt.value(0),
            y2=alt.value(PRICE_HEIGHT),
            fill=alt.FillValue(PRICE_COLOR, condition=color),
            stroke=alt.StrokeValue(PRICE_COLOR, condition=color),
            tooltip=tooltip,
        )
    )
    titles = (
        alt.Chart(alt.NamedData("bands"))
        .mark_text(**SILENT, align="left", baseline="top", dx=6, dy=6, fontSize=11, clip=True)
        .encode(
            x="start:T",
            y=alt.value(0),
            text="title:N",
            color=alt.ColorValue(PRICE_COLOR, condition=color),
        )
    )
    ticks = (
        alt.Chart(alt.NamedData("ticks"))
        .mark_point(shape="triangle-up", filled=True, size=70, opacity=1, clip=True)
        .encode(
            x="start:T",
            y=alt.value({"expr": f"height - {_TICK_ABOVE_AXIS}"}),
            color=alt.ColorValue(PRICE_COLOR, condition=_by_kind(TICKS)),
            tooltip=tooltip[:3],
        )
    )
    return [bands], [titles, ticks]


def _crosses(prints: pd.DataFrame | None, said: Mapping[str, VenueCorrection]) -> pd.DataFrame:
    if prints is None:
        prints = pd.DataFrame(columns=["time", "trade_id", "price", "size"])
        prints = prints.astype({"time": "datetime64[ns, UTC]"})
    return prints.assign(
        venue=[said[one].sentence if one in said else "" for one in prints["trade_id"]],
        utc=format_times(prints["time"]),
    )


def _cross_layer() -> alt.Chart:
    chart: alt.Chart = (
        alt.Chart(alt.NamedData("crosses"))
        .mark_point(
            shape=_CROSS, filled=False, color=CORRECTION_COLOR, size=70, strokeWidth=2.4, opacity=1, clip=True
        )
        .encode(
            x="time:T",
            y="price:Q",
            tooltip=[
                alt.Tooltip("venue:N", title="Venue"),
                alt.Tooltip("price:Q", title="Price", format=",.10~g"),
                alt.Tooltip("size:Q", title="Size", format=","),
                alt.Tooltip("utc:N", title="Time (UTC)"),
            ],
        )
    )
    return chart


def _line(time_range: TimeRange) -> list[alt.Chart]:
    # Boxes, not an area: an area would slope through times without trades. The stroke shows a bucket
    # with a single price, whose box has no height.
    band = (
        alt.Chart(alt.NamedData("buckets"))
        .mark_rect(
            **SILENT, color=PRICE_COLOR, opacity=0.3, stroke=PRICE_COLOR, strokeWidth=0.8, tooltip=True
        )
        .encode(
            x=exchange_axis("start", time_range),
            x2="end:T",
            y=_price_axis("low"),
            y2="high:Q",
            tooltip=_price_tooltip(),
        )
        .add_params(alt.selection_interval(SPAN, encodings=["x"]))
    )
    line = (
        alt.Chart(alt.NamedData("buckets"))
        .mark_line(**SILENT, color=PRICE_COLOR, strokeWidth=1.4, interpolate="linear")
        .encode(x=alt.X("middle:T"), y=alt.Y("last:Q"), detail="segment:N")
    )
    return [band, line]


def _candles(time_range: TimeRange) -> list[alt.Chart]:
    # Not by a scale: the markers above have the only scale of colours.
    color = alt.condition("datum.rose", alt.value(CANDLE_COLORS["up"]), alt.value(CANDLE_COLORS["down"]))
    tooltip = _price_tooltip()
    tooltip.insert(2, alt.Tooltip("first:Q", title="First price", format=_PRICE_FORMAT))
    # The stroke shows a body without height. The first layer has to be one with a second end in time: with
    # others Vega-Lite makes no use of the time axis's ends.
    body = (
        alt.Chart(alt.NamedData("buckets"))
        .mark_rect(**SILENT, strokeWidth=1.2)
        .encode(
            x=exchange_axis("left", time_range),
            x2="right:T",
            y=_price_axis("first"),
            y2="last:Q",
            color=color,
            stroke=color,
            tooltip=tooltip,
        )
        .add_params(alt.selection_interval(SPAN, encodings=["x"]))
    )
    wick = (
        alt.Chart(alt.NamedData("buckets"))
        .mark_rule(**SILENT, strokeWidth=1.2)
        .encode(x=alt.X("middle:T"), y=alt.Y("low:Q"), y2="high:Q", color=color, tooltip=tooltip)
    )
    return [body, wick]


def _price_axis(field: str) -> alt.Y:
    return alt.Y(
        f"{field}:Q",
        title="Price",
        scale=alt.Scale(zero=False, nice=False, padding=12),
        axis=alt.Axis(minExtent=Y_AXIS_WIDTH, maxExtent=Y_AXIS_WIDTH, tickCount=6),
    )


def _price_tooltip() -> list[alt.Tooltip]:
    return [
        *span_tooltip(),
        alt.Tooltip("last:Q", title="Last price", format=_PRICE_FORMAT),
        alt.Tooltip("low:Q", title="Lowest", format=_PRICE_FORMAT),
        alt.Tooltip("high:Q", title="Highest", format=_PRICE_FORMAT),
        alt.Tooltip("trades:Q", title="Trades", format=","),
    ]


def _marks(
    anomalies: AnomalySummary,
    verdicts: Mapping[str, Verdict],
    said: Mapping[str, VenueCorrection],
    selected: str | None,
) -> pd.DataFrame:
    rows = anomalies.rows.iloc[::-1]  # the most anomalous is drawn last, above the others
    times = rows["time"]
    return pd.DataFrame(
        {
            "trade_id": rows["trade_id"],
            "selected": rows["trade_id"] == selected,
            "time": times,
            "price": rows["price"],
            "severity": rows["severity"],
            "label": rows["label"],
            "labels": rows["labels"].str.join(", "),
            "size": rows["size"],
            "score": rows["score"],
            "verdict": [verdicts[i].verdict if i in verdicts else "none yet" for i in rows["trade_id"]],
            "venue": [said[i].sentence if i in said else "" for i in rows["trade_id"]],
            "area": [SEVERITY_SIZES.get(severity, 50) for severity in rows["severity"]],
            "message": rows["message"],
            "utc": format_times(times),
            "exchange": format_times(exchange().local(times)),
        }
    )


def _markers(labels: tuple[str, ...]) -> alt.Chart:
    # Legends stand above the chart as text of the page, which wraps in a narrow window.
    chart: alt.Chart = (
        alt.Chart(alt.NamedData("marks"))
        .mark_point(filled=True, clip=True, cursor="pointer")
        .encode(
            x=alt.X("time:T"),
            y=alt.Y("price:Q"),
            color=severity_color(),
            size=alt.Size("area:Q", scale=None),
            stroke=alt.condition("datum.selected", alt.value(RING_COLOR), alt.value(None)),
            strokeWidth=alt.condition("datum.selected", alt.value(3), alt.value(0)),
            shape=label_shape(labels),
            opacity=alt.value(0.95),
            tooltip=[
                alt.Tooltip("message:N", title="Message"),
                alt.Tooltip("labels:N", title="Labels"),
                alt.Tooltip("severity:N", title="Severity"),
                alt.Tooltip("score:Q", title="Score", format=".3f"),
                alt.Tooltip("verdict:N", title="Verdict"),
                alt.Tooltip("venue:N", title="Venue"),
                alt.Tooltip("price:Q", title="Price", format=",.10~g"),
                alt.Tooltip("size:Q", title="Size", format=","),
                alt.Tooltip("utc:N", title="Time (UTC)"),
                alt.Tooltip("exchange:N", title=exchange().city),
            ],
        )
    )
    return chart
