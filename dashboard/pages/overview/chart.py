"""Shared by the overview's charts: a specification with its data, and the time axes.

Between two refreshes only the data of a chart change, not its specification (scales, axes, layers). So the
browser replaces the data in the existing chart instead of building another one; and the
specification, which takes longer to make than anything else here, is made once.
"""

import copy
import datetime as dt
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt
import pandas as pd

from dashboard.ui.exchange import exchange
from dashboard.ui.time_ranges import TimeRange, exchange_clock_js

SPAN = "span"
"""Selection in both charts: a time range that was dragged with the mouse."""

CHARTS_KEPT = 100
"""Number of specifications kept, each of about 10 kB."""

SILENT: dict[str, Any] = {"aria": False}
"""For marks that a screen reader leaves out: a thousand bars, for each of which a text would be made."""

TICKS = 16
"""About so many are on a time axis."""

Y_AXIS_WIDTH = 48
"""The same for both charts, so that their time axes lie exactly above each other."""


@dataclass(frozen=True)
class Chart:
    """A specification of Vega-Lite, and the data that it names."""

    spec: dict[str, Any]
    """The specification, which is shared: it must not be changed."""
    datasets: dict[str, pd.DataFrame]
    """Data frames by name; times in milliseconds since 1970."""

    def to_dict(self) -> dict[str, Any]:
        """Return both as `st.vega_lite_chart` takes them."""
        return copy.deepcopy(self.spec) | {"datasets": self.datasets}


def utc_axis(field: str, time_range: TimeRange) -> alt.X:
    """Return a time axis below the chart, in UTC."""
    return _time_axis(field, time_range, "Time (UTC)", "datum.value", "bottom")


def exchange_axis(field: str, time_range: TimeRange) -> alt.X:
    """Return a time axis above the chart, by the clock of the exchange."""
    clock = exchange_clock_js(time_range)
    axis = _time_axis(field, time_range, f"Time in {exchange().city}", clock, "top")
    # Below the charts is the same clock.
    if not exchange().is_utc:
        return axis
    return axis.title(None).axis(orient="top", grid=True, tickCount=TICKS, labels=False, ticks=False)


def _time_axis(
    field: str, time_range: TimeRange, title: str, clock: str, side: Literal["top", "bottom"]
) -> alt.X:
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
            tickCount=TICKS,
        ),
    )


def _clock_format(time_range: TimeRange) -> str:
    return "%H:%M:%S" if time_range.end - time_range.start < dt.timedelta(minutes=10) else "%H:%M"


def span_tooltip() -> list[alt.Tooltip]:
    """Return what a tooltip says of a bucket's time, from `spans`."""
    both = [alt.Tooltip("utc:N", title="UTC"), alt.Tooltip("exchange:N", title=exchange().city)]
    return both[:1] if exchange().is_utc else both


def spans(buckets: pd.DataFrame) -> dict[str, Any]:
    """Say from when to when a bucket is, such as `2026-03-02 15:30:00 to 15:32:00`, by both clocks."""
    spans = {}
    for name, zone in (("utc", "UTC"), ("exchange", exchange().time_zone)):
        start, end = (buckets[column].dt.tz_convert(zone) for column in ("start", "end"))
        spans[name] = start.dt.strftime("%Y-%m-%d %H:%M:%S") + " to " + end.dt.strftime("%H:%M:%S")
    return spans


def serializable(frame: pd.DataFrame) -> pd.DataFrame:
    """Write times as milliseconds since 1970: a browser reads them the same in every time zone."""
    times = frame.select_dtypes("datetimetz").columns
    epoch = pd.Timestamp(0, tz="UTC")
    return frame.assign(**{name: (frame[name] - epoch) / pd.Timedelta(milliseconds=1) for name in times})


def _epoch_ms(time: dt.datetime) -> float:
    return time.timestamp() * 1000
