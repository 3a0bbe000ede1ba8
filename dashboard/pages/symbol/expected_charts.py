"""What was expected, drawn: a band on the prices, and charts of sizes and of the pace; makes no queries."""

from typing import Any

import altair as alt
import pandas as pd

from dashboard.pages.symbol.chart import (
    AXIS,
    SILENT,
    SPAN,
    Y_AXIS_WIDTH,
    Chart,
    axis_frame,
    axis_mark,
    serializable,
    span_tooltip,
    spans,
    top_axis,
)
from dashboard.pages.symbol.expected import PRICES, RATES, SIZES, Expected, stretched
from dashboard.pages.symbol.price_axis import PriceAxis
from dashboard.ui.encodings import SHARES_LABEL
from dashboard.ui.kept_charts import kept_by_clock, on_time_axis
from dashboard.ui.palette import EXPECTED_COLOR, PRICE_COLOR
from dashboard.ui.prices import price_text
from dashboard.ui.time_ranges import TimeRange
from services.contracts.trade import mean_size_text, size_text

HEIGHT = 110
"""Without labels of the time: the chart of volumes above has them."""

_ROOM = 1.15
"""An axis reaches so many times as far as the largest that was seen, or is mostly the limit."""


def band_frame(expected: Expected, axis: PriceAxis, bucket_s: float) -> pd.DataFrame:
    """Lay out the prices that are not flagged, within the axis, and as text what they are."""
    if expected.buckets is None:
        return pd.DataFrame(columns=["start", "end", "lowest", "highest", "middle", "segment"])
    known = stretched(expected.buckets, bucket_s)
    known = known[known["highest"].notna()]
    texts = {
        name: [price_text(round(price, axis.decimals), axis.decimals) for price in known[name]]
        for name in PRICES
    }
    return pd.DataFrame(
        {
            "start": known["start"],
            "end": known["end"],
            "segment": known["segment"],
            "lowest": axis.shown.clip(known["lowest"]),
            "highest": axis.shown.clip(known["highest"]),
            "middle": axis.shown.clip((known["low"] + known["high"]) / 2),
            **spans(known),
            "recent": _between(texts["low"], texts["high"]),
            "unflagged": _between(texts["lowest"], texts["highest"]),
        }
    )


def band_layers() -> list[alt.Chart]:
    """Return the band of the prices that are not flagged, and the middle of the recent ones."""
    tooltip = [
        *span_tooltip(),
        alt.Tooltip("recent:N", title="Expected: recent prices"),
        alt.Tooltip("unflagged:N", title="Not flagged"),
    ]
    band = (
        alt.Chart(alt.NamedData("expected"))
        .mark_rect(**SILENT, color=EXPECTED_COLOR, opacity=0.2, clip=True)
        .encode(x=top_axis("start"), x2="end:T", y="lowest:Q", y2="highest:Q", tooltip=tooltip)
    )
    middle = (
        alt.Chart(alt.NamedData("expected"))
        .mark_line(**SILENT, color=EXPECTED_COLOR, strokeWidth=1.2, interpolate="step-after", clip=True)
        .encode(x="start:T", y="middle:Q", detail="segment:N")
    )
    return [band, middle]


def size_chart(expected: Expected, bucket_s: float, time_range: TimeRange) -> Chart | None:
    """Draw the largest size of each bucket, or the flagged one, and the usual one; None without any."""
    if expected.buckets is None or not expected.has(SIZES):
        return None
    rows = _rows(expected.buckets, SIZES, bucket_s)
    rows = rows[rows["seen"] > 0]
    if rows.empty:
        return None
    text = {
        "seen_text": rows["seen"].map(size_text),
        "usual_text": rows["usual"].map(mean_size_text),
        "limit_text": rows["limit"].map(mean_size_text),
    }
    return _chart("Size (log)", "log", rows.assign(**text), time_range)


def rate_chart(expected: Expected, bucket_s: float, time_range: TimeRange) -> Chart | None:
    """Draw the trades a second of each bucket, and those that are usual then; None without any."""
    if expected.buckets is None or not expected.has(RATES):
        return None
    rows = _rows(expected.buckets, RATES, bucket_s)
    text = {f"{name}_text": rows[name].map("{:,.3g} a second".format) for name in ("seen", "usual", "limit")}
    return _chart("Trades/s", "linear", rows.assign(**text), time_range)


def _rows(buckets: pd.DataFrame, names: tuple[str, ...], bucket_s: float) -> pd.DataFrame:
    known = stretched(buckets, bucket_s)
    known = known[known[names[-1]].notna()]
    return pd.DataFrame(
        {
            "start": known["start"],
            "end": known["end"],
            "segment": known["segment"],
            **spans(known),
            **{drawn: known[name] for drawn, name in zip(("seen", "usual", "limit"), names, strict=True)},
        }
    )


def _chart(title: str, scale: str, rows: pd.DataFrame, time_range: TimeRange) -> Chart:
    top = _ROOM * max(float(rows["seen"].max()), float(rows["limit"].median()))
    drawn = rows.assign(limit=rows["limit"].clip(upper=top), usual=rows["usual"].clip(upper=top))
    return Chart(
        on_time_axis(_spec(title, scale), time_range),
        {AXIS: serializable(axis_frame(time_range)), "rows": serializable(drawn)},
    )


@kept_by_clock
def _spec(title: str, scale: str) -> dict[str, Any]:
    kind = alt.Scale(type="log", nice=False) if scale == "log" else alt.Scale(nice=False, zero=True)
    y = alt.Y(
        "seen:Q",
        title=title,
        scale=kind,
        axis=alt.Axis(
            labelExpr=SHARES_LABEL,
            labelOverlap="greedy",
            minExtent=Y_AXIS_WIDTH,
            maxExtent=Y_AXIS_WIDTH,
            tickCount=4,
        ),
    )
    seen = (
        alt.Chart(alt.NamedData("rows"))
        .mark_rect(**SILENT, stroke=PRICE_COLOR, strokeWidth=2, clip=True)
        .encode(
            x=top_axis("start"),
            x2="end:T",
            y=y,
            y2="seen:Q",
            tooltip=[
                *span_tooltip(),
                alt.Tooltip("seen_text:N", title="Seen"),
                alt.Tooltip("usual_text:N", title="Usual"),
                alt.Tooltip("limit_text:N", title="Flagged beyond"),
            ],
        )
        .add_params(alt.selection_interval(SPAN, encodings=["x"]))
    )
    lines = [
        alt.Chart(alt.NamedData("rows"))
        .mark_line(
            **SILENT,
            color=EXPECTED_COLOR,
            strokeWidth=1.4,
            strokeDash=dash,
            interpolate="step-after",
            clip=True,
        )
        .encode(x="start:T", y=f"{name}:Q", detail="segment:N")
        for name, dash in (("usual", [1, 0]), ("limit", [5, 4]))
    ]
    times = axis_mark().encode(x=top_axis("start"), x2="end:T")
    return alt.layer(times, seen, *lines).properties(height=HEIGHT, width="container").to_dict()


def _between(lows: list[str], highs: list[str]) -> list[str]:
    return [low if low == high else f"{low} to {high}" for low, high in zip(lows, highs, strict=True)]
