"""Shared by the symbol page's charts: a specification with its data, and the time axes."""

from dataclasses import dataclass
from typing import Any, Literal

import altair as alt
import numpy as np
import pandas as pd

from dashboard.ui.clock import UTC_CLOCK, Clock
from dashboard.ui.kept_charts import LABELS
from dashboard.ui.time_ranges import TimeRange
from dashboard.ui.zone import zone

SPAN = "span"
"""Selection in both charts: a time range that was dragged with the mouse."""

SILENT: dict[str, Any] = {"aria": False}
"""For marks that a screen reader leaves out: a thousand bars, for each of which a text would be made."""

AXIS = "axis"
"""Data of each chart: what its time axis shows, as `axis_frame` returns it."""

TICKS = 16
"""About so many are on a time axis."""

Y_AXIS_WIDTH = 48
"""The same for both charts, so that their time axes lie exactly above each other."""


@dataclass(frozen=True)
class Chart:
    """A specification of Vega-Lite, and the data that it names."""

    spec: dict[str, Any]
    datasets: dict[str, pd.DataFrame]
    """Data frames by name; times in milliseconds since 1970."""

    def to_dict(self) -> dict[str, Any]:
        """Return both as `st.vega_lite_chart` takes them."""
        return self.spec | {"datasets": self.datasets}


def axis_frame(time_range: TimeRange) -> pd.DataFrame:
    """Return the one row of `AXIS`: `start` and `end`."""
    return pd.DataFrame({"start": [pd.Timestamp(time_range.start)], "end": [pd.Timestamp(time_range.end)]})


def axis_mark() -> alt.Chart:
    """Return an unseen mark of `AXIS`: Vega-Lite leaves out data that no mark has."""
    chart: alt.Chart = alt.Chart(alt.NamedData(AXIS)).mark_rect(**SILENT, opacity=0)
    return chart


def bottom_axis(field: str) -> alt.X:
    """Return a time axis below the chart, by the chosen clock; see `on_time_axis`."""
    return _time_axis(field, zone().heading, "bottom")


def top_axis(field: str) -> alt.X:
    """Return the same axis above the chart, as grid lines alone: the chart below has its labels."""
    axis = _time_axis(field, "", "top")
    return axis.title(None).axis(orient="top", grid=True, tickCount=TICKS, labels=False, ticks=False)


def _time_axis(field: str, title: str, side: Literal["top", "bottom"]) -> alt.X:
    # From the data, so that the specification is the same for all time ranges: the browser keeps the chart.
    ends = [alt.ExprRef(f"data('{AXIS}')[0].{end}") for end in ("start", "end")]
    return alt.X(
        f"{field}:T",
        title=title,
        scale=alt.Scale(type="utc", domain=ends, nice=False),
        axis=alt.Axis(
            orient=side,
            grid=True,
            labelExpr=LABELS,
            labelOverlap=True,
            labelSeparation=10,
            labelFlush=True,
            labelBound=True,  # else a label that sticks out makes this chart narrower than the other
            tickCount=TICKS,
        ),
    )


def span_tooltip() -> list[alt.Tooltip]:
    """Return what a tooltip says of a bucket's time, from `spans`."""
    utc = alt.Tooltip("utc:N", title="UTC")
    return [utc] if zone().is_utc else [alt.Tooltip("local:N", title=zone().city), utc]


def spans(buckets: pd.DataFrame) -> dict[str, Any]:
    """Say when a bucket is, `2026-03-02 15:30:00 to 15:32:00`, in UTC and by the chosen clock."""
    # Of buckets of a second or more, the milliseconds say nothing.
    unit: Literal["s", "ms"] = "s" if (buckets["start"].dt.microsecond == 0).all() else "ms"
    spans = {}
    for name, clock in (("utc", UTC_CLOCK), ("local", zone())):
        starts, ends = (_texts(buckets[column], clock, unit) for column in ("start", "end"))
        spans[name] = [
            f"{start[:10]} {start[11:]} to {end[11:]}" for start, end in zip(starts, ends, strict=True)
        ]
    return spans


def _texts(times: pd.Series, clock: Clock, unit: Literal["s", "ms"]) -> list[str]:
    """Return times as `2026-03-02T15:30:00`; a tenth of the time that pandas takes for it."""
    local = clock.local(times).dt.tz_localize(None).to_numpy()
    texts: list[str] = np.datetime_as_string(local, unit=unit).tolist()
    return texts


def serializable(frame: pd.DataFrame) -> pd.DataFrame:
    """Write times as milliseconds since 1970: a browser reads them the same in every time zone."""
    times = frame.select_dtypes("datetimetz").columns
    epoch = pd.Timestamp(0, tz="UTC")
    return frame.assign(**{name: (frame[name] - epoch) / pd.Timedelta(milliseconds=1) for name in times})
