"""The symbol page's chart of the volume by side; makes no queries."""

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
    bottom_axis,
    serializable,
    span_tooltip,
    spans,
)
from dashboard.pages.symbol.queries import TradeSummary
from dashboard.ui.encodings import SHARES_LABEL, side_color
from dashboard.ui.kept_charts import kept_by_clock, on_time_axis
from dashboard.ui.palette import PRICE_COLOR, SIDE_NAMES
from dashboard.ui.time_ranges import TimeRange

VOLUME_HEIGHT = 190

_TALL = 2.0
"""A bar so many times as high as nearly all others (the 98th percentile) is cut there, and says so."""

_NOTE_WIDTH = 0.1
"""Share of the time axis that a label of a cut bar takes, in a window not too narrow."""


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
    return Chart(
        on_time_axis(_volume_spec(), time_range),
        {
            AXIS: serializable(axis_frame(time_range)),
            "blocks": serializable(drawn),
            "notes": serializable(notes),
        },
    )


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


@kept_by_clock
def _volume_spec() -> dict[str, Any]:
    y = alt.Y(
        "bottom:Q",
        title="Volume",
        scale=alt.Scale(nice=False),
        axis=alt.Axis(
            labelExpr=SHARES_LABEL,
            minExtent=Y_AXIS_WIDTH,
            maxExtent=Y_AXIS_WIDTH,
            tickCount=4,
        ),
    )
    bars = (
        alt.Chart(alt.NamedData("blocks"))
        .mark_rect(**SILENT, clip=True)
        .encode(
            x=bottom_axis("start"),
            x2="end:T",
            y=y,
            y2="top:Q",
            color=side_color("side"),
            tooltip=[
                *span_tooltip(),
                alt.Tooltip("side:N", title="Side"),
                alt.Tooltip("shares:Q", title="Volume", format=","),
                alt.Tooltip("total:Q", title="All sides", format=","),
            ],
        )
        .add_params(alt.selection_interval(SPAN, encodings=["x"]))
    )
    labels = (
        alt.Chart(alt.NamedData("notes"))
        .mark_text(
            align=alt.ExprRef("datum.right ? 'left' : 'right'"),
            dx=alt.ExprRef("datum.right ? 5 : -3"),
            dy=8,
            fontSize=11,
            color=PRICE_COLOR,
        )
        .encode(x="start:T", y=alt.Y("limit:Q"), text=alt.value(alt.ExprRef("datum.right || datum.left")))
    )
    times = axis_mark().encode(x=bottom_axis("start"), x2="end:T")
    return alt.layer(times, bars, labels).properties(height=VOLUME_HEIGHT, width="container").to_dict()


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
        (`utc`, `local`), `side` (its name), `shares`, `total` (of all sides), `bottom` and `top` (of the
        block).
    """
    sides = list(SIDE_NAMES)
    tops = buckets[sides].cumsum(axis=1)
    by_clock = spans(buckets)
    blocks = [
        pd.DataFrame(
            {
                "start": buckets["start"],
                "end": buckets["end"],
                **by_clock,
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


def _short(shares: float) -> str:
    """Write a large number with three digits, such as `14.2 M`."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if shares >= size:
            return f"{shares / size:.3g}{unit}"
    return f"{shares:.0f}" if shares >= 1 else f"{shares:.3g}"
