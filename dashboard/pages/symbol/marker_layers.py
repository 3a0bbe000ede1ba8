"""The layers of the price chart that mark anomalies, cancelled prints, and prints beyond the axis."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import altair as alt
import pandas as pd

from dashboard.pages.symbol.chart import SILENT, serializable, top_axis
from dashboard.pages.symbol.price_axis import PriceAxis
from dashboard.ui.encodings import label_shape, severity_color, time_tooltip
from dashboard.ui.palette import CORRECTION_COLOR, PRICE_COLOR, RING_COLOR, SEVERITY_SIZES
from dashboard.ui.price_edges import edge_texts
from dashboard.ui.prices import PriceRange, price_text
from dashboard.ui.time_ranges import TimeRange
from dashboard.ui.times import format_times, format_utc
from dashboard.ui.zone import zone
from services.contracts.anomaly import Severity
from services.review.corrections import VenueCorrection
from services.review.verdicts import Verdict

PICKED = "picked"
"""Selection in the price chart: the marker that was clicked."""

SMALL = (Severity.LOW, Severity.INFO)
CROWD = 40
"""More anomalies of these severities than that stand at the bottom edge, where they hide no price."""

_SMALL_AREA = 16
_ABOVE_BOTTOM = 0.015
"""Share of the price axis that these are above its end."""

_CROSS = "M-1,-1L1,1M-1,1L1,-1"
_INSIDE = 0.04
"""Share of the price axis by which prints beyond it are drawn inside, between the prices and the edge: there
nothing cuts them in half, and at the bottom they do not lie on the small ones."""

_NOTE_WIDTH = 0.11
"""Share of the time axis that the text of a print at the edge takes."""
_BESIDE_MARK = 11
"""Pixels from a print at the edge to its text."""


@dataclass(frozen=True)
class Said:
    """What people and venues said of trades, by `trade_id`."""

    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    corrections: Mapping[str, VenueCorrection] = field(default_factory=dict)

    def venue(self, trade_ids: pd.Series) -> list[str]:
        """Return what the venue said of each trade, as a sentence; empty if nothing."""
        clock = zone()
        return [
            self.corrections[one].sentence(clock.zone, clock.city) if one in self.corrections else ""
            for one in trade_ids
        ]


def are_small(rows: pd.DataFrame, chosen: Collection[str], selected: str | None) -> pd.Series:
    """Tell of each anomaly whether it stands at the bottom edge instead of at its price.

    Parameters
    ----------
    rows
        As in `AnomalySummary.rows`.
    chosen
        Severities that were asked for, which stay at their prices.
    selected
        The `trade_id` of the selected anomaly, which stays at its price.
    """
    small = rows["severity"].isin([str(one) for one in SMALL if one not in chosen])
    if small.sum() <= CROWD:
        return small & False
    return small & (rows["trade_id"] != selected)


def mark_frame(
    rows: pd.DataFrame, axis: PriceAxis, said: Said, chosen: Collection[str], selected: str | None
) -> pd.DataFrame:
    """Lay anomalies out as they are marked."""
    rows = rows.iloc[::-1]  # the most anomalous is drawn last, above the others
    times = rows["time"]
    small = are_small(rows, chosen, selected)
    bottom = axis.shown.low + _ABOVE_BOTTOM * (axis.shown.high - axis.shown.low)
    areas = pd.Series([SEVERITY_SIZES.get(one, 50) for one in rows["severity"]], rows.index)
    return pd.DataFrame(
        {
            "trade_id": rows["trade_id"],
            "selected": rows["trade_id"] == selected,
            "time": times,
            "level": _levels(rows["price"], axis).mask(small, bottom),
            "price": [price_text(price, axis.decimals) for price in rows["price"]],
            "severity": rows["severity"],
            "label": rows["label"],
            "labels": rows["labels"].str.join(", "),
            "size": rows["size"],
            "score": rows["score"],
            "verdict": [
                said.verdicts[one].verdict if one in said.verdicts else "none yet" for one in rows["trade_id"]
            ],
            "venue": said.venue(rows["trade_id"]),
            "area": areas.mask(small, _SMALL_AREA),
            "message": rows["message"],
            "utc": format_utc(times),
            "local": format_times(times),
        }
    )


def markers(labels: tuple[str, ...]) -> alt.Chart:
    """Return the layer of anomalies."""
    # Legends stand above the chart as text of the page, which wraps in a narrow window.
    chart: alt.Chart = (
        alt.Chart(alt.NamedData("marks"))
        .mark_point(filled=True, clip=True, cursor="pointer")
        .encode(
            x=alt.X("time:T"),
            y=alt.Y("level:Q"),
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
                *_print_tooltip(),
            ],
        )
        .add_params(alt.selection_point(PICKED, fields=["trade_id"], on="click", clear=False))
    )
    return chart


def _print_tooltip() -> list[alt.Tooltip]:
    return [
        alt.Tooltip("price:N", title="Price"),
        alt.Tooltip("size:Q", title="Size", format=","),
        *time_tooltip(),
    ]


def cross_frame(prints: pd.DataFrame, axis: PriceAxis, said: Said) -> pd.DataFrame:
    """Lay cancelled prints out as they are crossed out; as in `Cancelled.prints`."""
    return _print_frame(prints, axis).assign(venue=said.venue(prints["trade_id"]))


def crosses() -> alt.Chart:
    """Return the layer of cancelled prints."""
    chart: alt.Chart = (
        alt.Chart(alt.NamedData("crosses"))
        .mark_point(
            shape=_CROSS, filled=False, color=CORRECTION_COLOR, size=70, strokeWidth=2.4, opacity=1, clip=True
        )
        .encode(x="time:T", y="level:Q", tooltip=[alt.Tooltip("venue:N", title="Venue"), *_print_tooltip()])
    )
    return chart


def edge_frame(prints: pd.DataFrame, axis: PriceAxis, time_range: TimeRange) -> pd.DataFrame:
    """Lay prints beyond the axis out as they stand at its edge, each with its price where there is room.

    Parameters
    ----------
    prints
        As in `Cancelled.prints`, in order of time.
    axis, time_range
        What the axes show.
    """
    frame = _print_frame(prints, axis)
    length = time_range.end - time_range.start
    near = length / pd.Timedelta(milliseconds=1) * _NOTE_WIDTH
    texts = edge_texts(serializable(prints)["time"], prints["price"], axis.shown, axis.decimals, near)
    # A text stands to the right of its print, unless there is no room.
    has_room = prints["time"] < time_range.end - length * _NOTE_WIDTH
    return frame.assign(right=texts.where(has_room, ""), left=texts.where(~has_room, ""))


def edges() -> alt.Chart:
    """Return the layer of prints beyond the axis."""
    chart: alt.Chart = (
        alt.Chart(alt.NamedData("edges"))
        .mark_text(
            align=alt.ExprRef("datum.right ? 'left' : 'right'"),
            baseline="middle",
            dx=alt.ExprRef(f"datum.right ? {_BESIDE_MARK} : -{_BESIDE_MARK}"),
            fontSize=12,
            fontWeight="bold",
            color=PRICE_COLOR,
        )
        .encode(
            x="time:T",
            y="level:Q",
            text=alt.value(alt.ExprRef("datum.right || datum.left")),
            tooltip=_print_tooltip(),
        )
    )
    return chart


def _levels(prices: pd.Series, axis: PriceAxis) -> pd.Series:
    """Return where each price is drawn: those beyond the axis just inside its ends."""
    shown = axis.shown
    inside = _INSIDE * (shown.high - shown.low)
    edge = PriceRange(shown.low + inside, shown.high - inside)
    return prices.mask(shown.is_beyond(prices), edge.clip(prices))


def _print_frame(prints: pd.DataFrame, axis: PriceAxis) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "time": prints["time"],
            "level": _levels(prints["price"], axis),
            "price": [price_text(price, axis.decimals) for price in prints["price"]],
            "size": prints["size"],
            "utc": format_utc(prints["time"]),
            "local": format_times(prints["time"]),
        }
    )


def stretch_frame(rows: pd.DataFrame) -> pd.DataFrame:
    """Lay the stretches of anomalies that have grown out, from the first print to the last.

    Parameters
    ----------
    rows
        As in `AnomalySummary.rows`, with `until`: when the last print of each was (UTC), NaT where an anomaly
        is of one moment.
    """
    grown = rows[rows["until"] > rows["time"]]
    return pd.DataFrame(
        {
            "time": grown["time"],
            "until": grown["until"],
            "severity": grown["severity"],
            "message": grown["message"],
            "from": format_times(grown["time"]),
            "to": format_times(grown["until"]),
        }
    )


def stretches(height: int) -> alt.Chart:
    """Return the layer of these."""
    chart: alt.Chart = (
        alt.Chart(alt.NamedData("stretches"))
        .mark_rect(**SILENT, fillOpacity=0.14, strokeOpacity=0, clip=True)
        .encode(
            x=top_axis("time"),
            x2="until:T",
            y=alt.value(0),
            y2=alt.value(height),
            color=severity_color(),
            tooltip=[
                alt.Tooltip("message:N", title="Message"),
                alt.Tooltip("from:N", title=f"From ({zone().city})"),
                alt.Tooltip("to:N", title=f"To ({zone().city})"),
            ],
        )
    )
    return chart
