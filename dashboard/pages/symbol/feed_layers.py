"""The layers of the price chart that show what happened to the feed."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from dashboard.pages.symbol.chart import SILENT, top_axis
from dashboard.pages.symbol.feed_marks import BANDS, TICKS
from dashboard.ui.palette import PRICE_COLOR
from dashboard.ui.time_ranges import TimeRange
from dashboard.ui.times import format_times
from dashboard.ui.zone import zone

_TICK_ABOVE_AXIS = 8
_BAND_TITLE_WIDTH = 0.08
"""Share of the time axis that a band takes at least to have its title written in it."""


def feed_frames(happened: pd.DataFrame, time_range: TimeRange) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return stretches of time and moments, with their texts."""
    marks = happened.assign(since=format_times(happened["start"]), until=format_times(happened["end"]))
    bands = marks[marks["kind"].isin(list(BANDS))]
    is_wide = bands["end"] - bands["start"] >= (time_range.end - time_range.start) * _BAND_TITLE_WIDTH
    return bands.assign(title=bands["kind"].where(is_wide, "")), marks[marks["kind"].isin(list(TICKS))]


def _by_kind(colors: Mapping[Any, str]) -> list[dict[str, Any]]:
    # Not by a scale: the markers have the only scale of colours.
    return [{"test": f"datum.kind == '{kind}'", "value": color} for kind, color in colors.items()]


def feed_layers(height: int) -> tuple[Sequence[alt.Chart], Sequence[alt.Chart]]:
    """Return what is drawn of a feed below the prices, and above."""
    tooltip = [
        alt.Tooltip("kind:N", title="Feed"),
        alt.Tooltip("text:N", title="Why"),
        alt.Tooltip("since:N", title=f"From ({zone().city})"),
        alt.Tooltip("until:N", title=f"To ({zone().city})"),
    ]
    color = _by_kind(BANDS)
    # The stroke shows what is too short to have a width.
    bands = (
        alt.Chart(alt.NamedData("bands"))
        .mark_rect(**SILENT, fillOpacity=0.16, strokeOpacity=0.6, strokeWidth=1, clip=True)
        .encode(
            x=top_axis("start"),
            x2="end:T",
            y=alt.value(0),
            y2=alt.value(height),
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
