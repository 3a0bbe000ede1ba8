"""The overview's charts, from the answers of `queries`; nothing here asks anybody anything.

Between two refreshes only the data of a chart change, not its specification (scales, axes, layers). So the
browser exchanges the data in the chart that stands there, instead of building another one; and the
specification, which takes longer to make than all else here, is made once.
"""

import copy
import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import altair as alt
import pandas as pd

from dashboard.queries import AnomalySummary, TradeSummary
from dashboard.ui.palette import (
    CANDLE_COLORS,
    LABEL_SHAPES,
    PRICE_COLOR,
    RING_COLOR,
    SEVERITY_SIZES,
    SIDE_COLORS,
    SIDE_NAMES,
    VEGA_PATHS,
    label_shapes,
)
from dashboard.ui.time_ranges import EXCHANGE_CITY, EXCHANGE_TIME_ZONE, TimeRange, exchange_clock_js
from services.contracts.anomaly import SEVERITY_COLORS
from services.review.verdicts import Verdict

PRICE_HEIGHT = 340
VOLUME_HEIGHT = 190

SPAN = "span"
"""Selection in both charts: a stretch of time that was drawn up with the mouse."""

PICKED = "picked"
"""Selection in the price chart: the marker that was clicked."""

GAP_S = 1800.0
"""Without a trade for so long, the price line breaks: the market was closed, or as good as."""

_TALL = 2.0
"""A bar so many times as high as nearly all others (the 98th percentile) is cut there, and says so."""

_NOTE_WIDTH = 0.1
"""Share of the time axis that a label of a cut bar takes, in a window not too narrow."""

_CANDLE_MARGIN = 0.14
"""Share of a bucket that stays free on both sides of a candle's body."""

_CHARTS_KEPT = 100
"""Specifications, of about 10 kB."""

_SILENT = {"aria": False}
"""For marks that a screen reader leaves out: a thousand bars, for each of which a text would be made."""

_PRICE_FORMAT = ",.10~g"

_Y_AXIS_WIDTH = 48
"""The same for both charts, so that their time axes lie exactly above each other."""


@dataclass(frozen=True)
class Chart:
    """A specification of Vega-Lite, and the data that it names."""

    spec: dict[str, Any]
    """Is shared: not to be changed."""
    datasets: dict[str, pd.DataFrame]
    """By name; times in milliseconds since 1970."""

    def to_dict(self) -> dict[str, Any]:
        """Return both as `st.vega_lite_chart` takes them."""
        return copy.deepcopy(self.spec) | {"datasets": self.datasets}


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


def volume_limit(shares: pd.Series) -> float:
    """Return the height at which bars are cut, so that a single giant does not flatten all others.

    Parameters
    ----------
    shares
        Of n bars.

    Returns
    -------
    float
        The highest bar's, unless it towers over nearly all others.
    """
    highest = float(shares.max())
    usual = float(shares.quantile(0.98))
    return _TALL * usual if 0 < _TALL * usual < highest else highest


def price_chart(
    trades: TradeSummary,
    anomalies: AnomalySummary,
    time_range: TimeRange,
    verdicts: Mapping[str, Verdict],
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
        middle=found["start"] + width / 2, **_spans(found)
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
    return Chart(
        _price_spec(time_range, candles, tuple(labels)),
        {"buckets": _serializable(buckets), "marks": _serializable(_marks(anomalies, verdicts, selected))},
    )


@lru_cache(maxsize=_CHARTS_KEPT)
def _price_spec(time_range: TimeRange, candles: bool, labels: tuple[str, ...]) -> dict[str, Any]:
    layers = _candles(time_range) if candles else _line(time_range)
    markers = _markers(labels).add_params(
        alt.selection_point(PICKED, fields=["trade_id"], on="click", clear=False)
    )
    return alt.layer(*layers, markers).properties(height=PRICE_HEIGHT, width="container").to_dict()


def _line(time_range: TimeRange) -> list[alt.Chart]:
    # Boxes, not an area: an area would slope through times without trades. The stroke shows a bucket
    # with a single price, whose box has no height.
    band = (
        alt.Chart(alt.NamedData("buckets"))
        .mark_rect(
            **_SILENT, color=PRICE_COLOR, opacity=0.3, stroke=PRICE_COLOR, strokeWidth=0.8, tooltip=True
        )
        .encode(
            x=_exchange_axis("start", time_range),
            x2="end:T",
            y=_price_axis("low"),
            y2="high:Q",
            tooltip=_price_tooltip(),
        )
        .add_params(alt.selection_interval(SPAN, encodings=["x"]))
    )
    line = (
        alt.Chart(alt.NamedData("buckets"))
        .mark_line(**_SILENT, color=PRICE_COLOR, strokeWidth=1.4, interpolate="linear")
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
        .mark_rect(**_SILENT, strokeWidth=1.2)
        .encode(
            x=_exchange_axis("left", time_range),
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
        .mark_rule(**_SILENT, strokeWidth=1.2)
        .encode(x=alt.X("middle:T"), y=alt.Y("low:Q"), y2="high:Q", color=color, tooltip=tooltip)
    )
    return [body, wick]


def _price_axis(field: str) -> alt.Y:
    return alt.Y(
        f"{field}:Q",
        title="Price",
        scale=alt.Scale(zero=False, nice=False, padding=12),
        axis=alt.Axis(minExtent=_Y_AXIS_WIDTH, maxExtent=_Y_AXIS_WIDTH, tickCount=6),
    )


def _price_tooltip() -> list[alt.Tooltip]:
    return [
        *_span_tooltip(),
        alt.Tooltip("last:Q", title="Last price", format=_PRICE_FORMAT),
        alt.Tooltip("low:Q", title="Lowest", format=_PRICE_FORMAT),
        alt.Tooltip("high:Q", title="Highest", format=_PRICE_FORMAT),
        alt.Tooltip("trades:Q", title="Trades", format=","),
    ]


def _marks(anomalies: AnomalySummary, verdicts: Mapping[str, Verdict], selected: str | None) -> pd.DataFrame:
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
            "area": [SEVERITY_SIZES.get(severity, 50) for severity in rows["severity"]],
            "message": rows["message"],
            "utc": format_times(times),
            "exchange": format_times(times.dt.tz_convert(EXCHANGE_TIME_ZONE)),
        }
    )


def _markers(labels: tuple[str, ...]) -> alt.Chart:
    # Legends stand above the chart as text of the page, which wraps in a narrow window.
    return (
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
                alt.Tooltip("message:N", title="What"),
                alt.Tooltip("labels:N", title="Labels"),
                alt.Tooltip("severity:N", title="Severity"),
                alt.Tooltip("score:Q", title="Score", format=".3f"),
                alt.Tooltip("verdict:N", title="Verdict"),
                alt.Tooltip("price:Q", title="Price", format=",.10~g"),
                alt.Tooltip("size:Q", title="Size", format=","),
                alt.Tooltip("utc:N", title="Time (UTC)"),
                alt.Tooltip("exchange:N", title=EXCHANGE_CITY),
            ],
        )
    )


def severity_color() -> alt.Color:
    """Colour by the field `severity`; the legend stands elsewhere."""
    severities = [str(severity) for severity in SEVERITY_COLORS]
    scale = alt.Scale(domain=severities, range=list(SEVERITY_COLORS.values()))
    return alt.Color("severity:N", scale=scale, legend=None)


def label_shape(labels: Iterable[str]) -> alt.Shape:
    """Shape by the field `label`, which has these values; the legend stands elsewhere."""
    shapes = label_shapes(labels)
    drawn = [VEGA_PATHS.get(shape, shape) for shape in shapes.values()]
    scale = alt.Scale(domain=list(shapes), range=drawn)
    return alt.Shape("label:N", scale=scale, legend=None)


def side_color(field: str) -> alt.Color:
    """Colour by a field with the names of sides; the legend stands elsewhere."""
    colors = [SIDE_COLORS[side] for side in SIDE_NAMES]
    scale = alt.Scale(domain=list(SIDE_NAMES.values()), range=colors)
    return alt.Color(f"{field}:N", scale=scale, legend=None)


def volume_chart(trades: TradeSummary, time_range: TimeRange) -> Chart:
    """Draw the volume by side, on the same time axis as `price_chart`.

    Parameters
    ----------
    trades
        With one bucket at least.
    time_range
        What the time axis shows.
    """
    blocks = volume_blocks(trades.buckets)
    limit = volume_limit(blocks.groupby("start")["top"].max())
    cut = tall_bars(blocks, limit, time_range)
    # A label stands to the right of its bar, unless there is no room.
    has_room = cut["start"] < time_range.end - (time_range.end - time_range.start) * _NOTE_WIDTH
    notes = cut.assign(right=cut["note"].where(has_room, ""), left=cut["note"].where(~has_room, ""))
    drawn = blocks.assign(bottom=blocks["bottom"].clip(upper=limit), top=blocks["top"].clip(upper=limit))
    return Chart(_volume_spec(time_range), {"blocks": _serializable(drawn), "notes": _serializable(notes)})


@lru_cache(maxsize=_CHARTS_KEPT)
def _volume_spec(time_range: TimeRange) -> dict[str, Any]:
    y = alt.Y(
        "bottom:Q",
        title="Shares",
        scale=alt.Scale(nice=False),
        axis=alt.Axis(
            labelExpr="format(datum.value, '~s')",
            minExtent=_Y_AXIS_WIDTH,
            maxExtent=_Y_AXIS_WIDTH,
            tickCount=4,
        ),
    )
    bars = (
        alt.Chart(alt.NamedData("blocks"))
        .mark_rect(**_SILENT, clip=True)
        .encode(
            x=_utc_axis("start", time_range),
            x2="end:T",
            y=y,
            y2="top:Q",
            color=side_color("side"),
            tooltip=[
                *_span_tooltip(),
                alt.Tooltip("side:N", title="Side"),
                alt.Tooltip("shares:Q", title="Shares", format=","),
                alt.Tooltip("total:Q", title="All sides", format=","),
            ],
        )
        .add_params(alt.selection_interval(SPAN, encodings=["x"]))
    )
    labels = [
        alt.Chart(alt.NamedData("notes"))
        .mark_text(align=align, dx=dx, dy=8, fontSize=11, color=PRICE_COLOR)
        .encode(x="start:T", y=alt.Y("limit:Q"), text=f"{field}:N")
        for field, align, dx in (("right", "left", 5), ("left", "right", -3))
    ]
    return alt.layer(bars, *labels).properties(height=VOLUME_HEIGHT, width="container").to_dict()


def tall_bars(blocks: pd.DataFrame, limit: float, time_range: TimeRange) -> pd.DataFrame:
    """Choose the cut bars that say how high they are, so that no two labels meet.

    Parameters
    ----------
    blocks
        As `volume_blocks` returns them.
    limit
        Where bars are cut.
    time_range
        What the time axis shows.

    Returns
    -------
    pandas.DataFrame
        `start`, `limit` and `note`, in order of time; of bars close together the highest only.
    """
    bars = blocks[blocks["total"] > limit].drop_duplicates("start").sort_values("total", ascending=False)
    apart = (time_range.end - time_range.start) * _NOTE_WIDTH
    kept: list[pd.Timestamp] = []
    for start in bars["start"]:
        if all(abs(start - other) >= apart for other in kept):
            kept.append(start)
    bars = bars[bars["start"].isin(kept)].sort_values("start")
    notes = [f"▲ {_short(total)}" for total in bars["total"]]
    return pd.DataFrame({"start": bars["start"], "limit": limit, "note": notes})


def volume_blocks(buckets: pd.DataFrame) -> pd.DataFrame:
    """Stack the sides' volumes.

    Parameters
    ----------
    buckets
        As in `TradeSummary.buckets`, n rows.

    Returns
    -------
    pandas.DataFrame
        A row for each bucket and side with volume, 3 n at most: `start`, `end`, both also as text
        (`utc`, `exchange`), `side` (its name), `shares`, `total` (of all sides), `bottom` and `top` (of the
        block).
    """
    sides = list(SIDE_NAMES)
    tops = buckets[sides].cumsum(axis=1)
    spans = _spans(buckets)
    blocks = [
        pd.DataFrame(
            {
                "start": buckets["start"],
                "end": buckets["end"],
                **spans,
                "side": SIDE_NAMES[side],
                "shares": buckets[side],
                "total": tops[sides[-1]],
                "bottom": tops[side] - buckets[side],
                "top": tops[side],
            }
        )
        for side in sides
    ]
    stacked = pd.concat(blocks, ignore_index=True)
    return stacked[stacked["shares"] > 0].reset_index(drop=True)


def format_times(times: pd.Series) -> pd.Series:
    """Write times as `2026-03-02 15:30:34.883`, in the zone that they are in."""
    return times.dt.strftime("%Y-%m-%d %H:%M:%S.%f").str[:-3]


def _utc_axis(field: str, time_range: TimeRange) -> alt.X:
    return _time_axis(field, time_range, "Time (UTC)", "datum.value", "bottom")


def _exchange_axis(field: str, time_range: TimeRange) -> alt.X:
    clock = exchange_clock_js(time_range)
    return _time_axis(field, time_range, f"Time in {EXCHANGE_CITY}", clock, "top")


def _time_axis(field: str, time_range: TimeRange, title: str, clock: str, side: str) -> alt.X:
    domain = [_epoch_ms(time_range.start), _epoch_ms(time_range.end)]
    return alt.X(
        f"{field}:T",
        title=title,
        scale=alt.Scale(type="utc", domain=domain, nice=False),
        axis=alt.Axis(
            orient=side,
            grid=True,
            # A day begins with its date; less than ten minutes need seconds.
            labelExpr=f"utcFormat({clock}, ({clock}) % 86400000 ? '{_clock_format(time_range)}' : '%d %b')",
            labelOverlap=True,
            labelSeparation=10,
            labelFlush=True,
            labelBound=True,  # else a label that sticks out makes this chart narrower than the other
            tickCount=16,
        ),
    )


def _clock_format(time_range: TimeRange) -> str:
    return "%H:%M:%S" if time_range.end - time_range.start < dt.timedelta(minutes=10) else "%H:%M"


def _span_tooltip() -> list[alt.Tooltip]:
    return [alt.Tooltip("utc:N", title="UTC"), alt.Tooltip("exchange:N", title=EXCHANGE_CITY)]


def _spans(buckets: pd.DataFrame) -> dict[str, Any]:
    """Say from when to when a bucket is, such as `2026-03-02 15:30:00 to 15:32:00`, by both clocks."""
    spans = {}
    for name, zone in (("utc", "UTC"), ("exchange", EXCHANGE_TIME_ZONE)):
        start, end = (buckets[column].dt.tz_convert(zone) for column in ("start", "end"))
        spans[name] = start.dt.strftime("%Y-%m-%d %H:%M:%S") + " to " + end.dt.strftime("%H:%M:%S")
    return spans


def _short(shares: float) -> str:
    """Write a large number with three digits, such as `14.2 M`."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if shares >= size:
            return f"{shares / size:.3g}{unit}"
    return f"{shares:.0f}"


def _epoch_ms(time: dt.datetime) -> float:
    return time.timestamp() * 1000


def _serializable(frame: pd.DataFrame) -> pd.DataFrame:
    """Write times as milliseconds since 1970: a browser reads them the same in every time zone."""
    times = frame.select_dtypes("datetimetz").columns
    epoch = pd.Timestamp(0, tz="UTC")
    return frame.assign(**{name: (frame[name] - epoch) / pd.Timedelta(milliseconds=1) for name in times})
