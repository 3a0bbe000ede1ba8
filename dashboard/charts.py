"""The charts, from the answers of `queries`; nothing here asks anybody anything."""

import datetime as dt

import altair as alt
import pandas as pd

from dashboard.palette import (
    PRICE_COLOR,
    SEVERITY_COLORS,
    SEVERITY_SIZES,
    SIDE_COLORS,
    SIDE_NAMES,
    label_shapes,
)
from dashboard.queries import AnomalySummary, TradeSummary
from dashboard.time_ranges import EXCHANGE_CITY, EXCHANGE_TIME_ZONE, TimeRange

PRICE_HEIGHT = 340
VOLUME_HEIGHT = 190

GAP_S = 1800.0
"""Without a trade for so long, the price line breaks: the market was closed, or as good as."""

_TALL = 2.0
"""A bar so many times as high as nearly all others (the 98th percentile) is cut there, and says so."""

_NOTE_WIDTH = 0.1
"""Share of the time axis that a label of a cut bar takes, in a window not too narrow."""

_Y_AXIS_WIDTH = 48
"""The same for both charts, so that their time axes lie exactly above each other."""


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


def price_chart(trades: TradeSummary, anomalies: AnomalySummary, time_range: TimeRange) -> alt.LayerChart:
    """Draw the last price, the range in which each bucket traded, and the anomalies on them.

    Parameters
    ----------
    trades
        With one bucket at least.
    anomalies
        Those in `rows` are marked.
    time_range
        What the time axis shows.
    """
    buckets = trades.buckets.assign(
        middle=trades.buckets["start"] + (trades.buckets["end"] - trades.buckets["start"]) / 2,
        segment=segments(trades.buckets, trades.bucket_s),
        span=_spans(trades.buckets),
    )
    y = alt.Y(
        "low:Q",
        title="Price",
        scale=alt.Scale(zero=False, nice=False, padding=12),
        axis=alt.Axis(minExtent=_Y_AXIS_WIDTH, maxExtent=_Y_AXIS_WIDTH, tickCount=6),
    )
    tooltip = [
        alt.Tooltip("span:N", title="Time (UTC)"),
        alt.Tooltip("last:Q", title="Last price", format=",.10~g"),
        alt.Tooltip("low:Q", title="Lowest", format=",.10~g"),
        alt.Tooltip("high:Q", title="Highest", format=",.10~g"),
        alt.Tooltip("trades:Q", title="Trades", format=","),
    ]
    x = _time_axis("start", time_range, has_labels=False)
    # Boxes, not an area: an area would slope through times without trades. The stroke shows a bucket
    # with a single price, whose box has no height.
    band = (
        alt.Chart(_serializable(buckets))
        .mark_rect(color=PRICE_COLOR, opacity=0.3, stroke=PRICE_COLOR, strokeWidth=0.8, tooltip=True)
        .encode(x=x, x2="end:T", y=y, y2="high:Q", tooltip=tooltip)
    )
    line = (
        alt.Chart(_serializable(buckets))
        .mark_line(color=PRICE_COLOR, strokeWidth=1.4, interpolate="linear")
        .encode(x=alt.X("middle:T"), y=alt.Y("last:Q"), detail="segment:N")
    )
    return alt.layer(band, line, _markers(anomalies)).properties(height=PRICE_HEIGHT, width="container")


def _markers(anomalies: AnomalySummary) -> alt.Chart:
    rows = anomalies.rows.iloc[::-1]  # the most anomalous is drawn last, above the others
    shapes = label_shapes(rows["label"])
    times = rows["time"]
    marks = pd.DataFrame(
        {
            "time": times,
            "price": rows["price"],
            "severity": rows["severity"],
            "label": rows["label"],
            "labels": rows["labels"].str.join(", "),
            "size": rows["size"],
            "score": rows["score"],
            "area": [SEVERITY_SIZES.get(severity, 22) for severity in rows["severity"]],
            "message": rows["message"],
            "utc": format_times(times),
            "exchange": format_times(times.dt.tz_convert(EXCHANGE_TIME_ZONE)),
        }
    )
    severities = [str(severity) for severity in SEVERITY_COLORS]
    # Legends stand above the chart as text of the page, which wraps in a narrow window.
    return (
        alt.Chart(_serializable(marks))
        .mark_point(filled=True, strokeWidth=0)
        .encode(
            x=alt.X("time:T"),
            y=alt.Y("price:Q"),
            color=alt.Color(
                "severity:N",
                scale=alt.Scale(domain=severities, range=list(SEVERITY_COLORS.values())),
                legend=None,
            ),
            size=alt.Size("area:Q", scale=None),
            shape=alt.Shape(
                "label:N",
                scale=alt.Scale(domain=list(shapes), range=list(shapes.values())),
                legend=None,
            ),
            opacity=alt.condition(
                alt.FieldOneOfPredicate("severity", ["info", "low"]), alt.value(0.6), alt.value(0.95)
            ),
            tooltip=[
                alt.Tooltip("message:N", title="What"),
                alt.Tooltip("labels:N", title="Labels"),
                alt.Tooltip("severity:N", title="Severity"),
                alt.Tooltip("score:Q", title="Score", format=".3f"),
                alt.Tooltip("price:Q", title="Price", format=",.10~g"),
                alt.Tooltip("size:Q", title="Size", format=","),
                alt.Tooltip("utc:N", title="Time (UTC)"),
                alt.Tooltip("exchange:N", title=EXCHANGE_CITY),
            ],
        )
    )


def volume_chart(trades: TradeSummary, time_range: TimeRange) -> alt.LayerChart:
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
    sides = list(SIDE_NAMES)
    y = alt.Y(
        "bottom:Q",
        title="Shares",
        scale=alt.Scale(domain=[0, limit], nice=False),
        axis=alt.Axis(
            labelExpr="format(datum.value, '~s')",
            minExtent=_Y_AXIS_WIDTH,
            maxExtent=_Y_AXIS_WIDTH,
            tickCount=4,
        ),
    )
    bars = (
        alt.Chart(_serializable(blocks))
        .mark_rect(clip=True)
        .encode(
            x=_time_axis("start", time_range, has_labels=True),
            x2="end:T",
            y=y,
            y2="top:Q",
            color=alt.Color(
                "side:N",
                scale=alt.Scale(
                    domain=[SIDE_NAMES[side] for side in sides], range=[SIDE_COLORS[side] for side in sides]
                ),
                legend=None,
            ),
            tooltip=[
                alt.Tooltip("span:N", title="Time (UTC)"),
                alt.Tooltip("side:N", title="Side"),
                alt.Tooltip("shares:Q", title="Shares", format=","),
                alt.Tooltip("total:Q", title="All sides", format=","),
            ],
        )
    )
    cut = tall_bars(blocks, limit, time_range)
    # A label stands to the right of its bar, unless there is no room.
    has_room = cut["start"] < time_range.end - (time_range.end - time_range.start) * _NOTE_WIDTH
    notes = [
        alt.Chart(_serializable(part))
        .mark_text(align=align, dx=dx, dy=8, fontSize=11, color=PRICE_COLOR)
        .encode(x="start:T", y=alt.Y("limit:Q"), text="note:N")
        for part, align, dx in ((cut[has_room], "left", 5), (cut[~has_room], "right", -3))
        if len(part)
    ]
    return alt.layer(bars, *notes).properties(height=VOLUME_HEIGHT, width="container")


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
        A row for each bucket and side with volume, 3 n at most: `start`, `end`, `span` (as text), `side`
        (its name), `shares`, `total` (of all sides), `bottom` and `top` (of the block).
    """
    sides = list(SIDE_NAMES)
    tops = buckets[sides].cumsum(axis=1)
    blocks = [
        pd.DataFrame(
            {
                "start": buckets["start"],
                "end": buckets["end"],
                "span": _spans(buckets),
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
    return stacked[stacked["shares"] > 0]


def format_times(times: pd.Series) -> pd.Series:
    """Write times as `2026-03-02 15:30:34.883`, in the zone that they are in."""
    return times.dt.strftime("%Y-%m-%d %H:%M:%S.%f").str[:-3]


def _time_axis(field: str, time_range: TimeRange, has_labels: bool) -> alt.X:
    domain = [_epoch_ms(time_range.start), _epoch_ms(time_range.end)]
    return alt.X(
        f"{field}:T",
        title="Time (UTC)" if has_labels else None,
        scale=alt.Scale(type="utc", domain=domain, nice=False),
        axis=alt.Axis(
            labels=has_labels,
            ticks=has_labels,
            grid=True,
            # A day begins with its date.
            labelExpr="utcFormat(datum.value, datum.value % 86400000 ? '%H:%M' : '%d %b')",
            labelOverlap=True,
            labelSeparation=10,
            labelFlush=True,
            labelBound=True,  # else a label that sticks out makes this chart narrower than the other
            tickCount=16,
        ),
    )


def _spans(buckets: pd.DataFrame) -> pd.Series:
    """Say from when to when a bucket is, such as `2026-03-02 15:30:00 to 15:32:00`."""
    start = buckets["start"].dt.strftime("%Y-%m-%d %H:%M:%S")
    return start + " to " + buckets["end"].dt.strftime("%H:%M:%S")


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
