"""The heat map: anomalies by symbol and time, coloured by the worst, as high as they are many; no queries."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from dashboard.pages.overview.state import SEVERITIES
from dashboard.ui.clock import UTC_CLOCK
from dashboard.ui.encodings import severity_color
from dashboard.ui.kept_charts import END, LABELS, START, kept_by_clock, on_time_axis
from dashboard.ui.palette import PRICE_COLOR
from dashboard.ui.time_ranges import TimeRange
from dashboard.ui.zone import zone
from services.contracts.anomaly import Severity

PICKED = "picked"
"""Selection: the cell that was clicked."""

ALL = "All symbols"
"""Title of the lane on top, whose symbol is empty."""

LANE_HEIGHT = 20
TALLEST_LANE = 40
FULL_HEIGHT = 300
"""In pixels. Few symbols have taller lanes, until they fill this height."""

_ALL_LANES = 2
"""Height of the lane of all symbols, in lanes."""

_LEAST = 0.45
"""Height of the cell of one anomaly, as a share of its lane's; the rest grows with the root of the count."""

_GAP = 0.12
"""Share of a lane that stays free."""

_NAMES_WIDTH = 90
_TICKS = 12


def heat_map(
    overall: pd.DataFrame, cells: pd.DataFrame, ranked: Sequence[str], time_range: TimeRange
) -> dict[str, Any]:
    """Draw the lane of all symbols, and below it one for each ranked symbol.

    Parameters
    ----------
    overall
        Cells of all symbols together, as `to_cells` returns them.
    cells
        Those of the ranked symbols.
    ranked
        The symbols, from the top down.
    time_range
        What the time axis shows.

    Returns
    -------
    dict
        As `st.vega_lite_chart` takes it.
    """
    drawn = pd.concat([_places(overall, {"": 0}), _places(cells, {s: i for i, s in enumerate(ranked, 1)})])
    lanes = pd.DataFrame(
        {
            "name": [ALL, *ranked],
            "middle": [_bottom(lane) - _height(lane) / 2 for lane in range(len(ranked) + 1)],
            "bottom": [_bottom(lane) for lane in range(len(ranked) + 1)],
        }
    )
    spec = on_time_axis(_spec(len(ranked)), time_range, finest="%H:%M:%S")
    return spec | {"datasets": {"cells": drawn, "lanes": lanes}}


def _height(lane: int) -> int:
    return 1 if lane else _ALL_LANES


def _bottom(lane: int) -> int:
    return lane + _ALL_LANES


def _places(cells: pd.DataFrame, lanes: dict[str, int]) -> pd.DataFrame:
    """Add where each cell is drawn, and what its tooltip says; times as the browser reads them."""
    lane = cells["symbol"].map(lanes)
    most = cells["count"].max()
    share = _LEAST + (1 - _LEAST) * ((cells["count"] - 1) / max(most - 1, 1)) ** 0.5 if len(cells) else 0.0
    bottom = lane + _ALL_LANES - _GAP / 2
    tall = lane.map(_height) - _GAP
    spans = {
        name: clock.local(cells["start"]).dt.strftime("%d %b %H:%M:%S")
        + clock.local(cells["end"]).dt.strftime(" to %H:%M:%S")
        for name, clock in (("utc", UTC_CLOCK), ("local", zone()))
    }
    epoch = pd.Timestamp(0, tz="UTC")
    return cells.assign(
        name=cells["symbol"].where(cells["symbol"] != "", ALL),
        bottom=bottom,
        top=bottom - tall * share,
        severity=cells["worst"],
        **spans,
        **{column: (cells[column] - epoch) / pd.Timedelta(milliseconds=1) for column in ("start", "end")},
    )


@kept_by_clock
def _spec(ranked: int) -> dict[str, Any]:
    clock = zone()
    lanes = ranked + _ALL_LANES
    y = alt.Y("bottom:Q", axis=None, scale=alt.Scale(domain=[0, lanes], reverse=True, nice=False))
    counts = [alt.Tooltip(f"{severity}:Q", title=severity.capitalize()) for severity in SEVERITIES]
    utc = alt.Tooltip("utc:N", title="UTC")
    # The first layer has to be one with a second end in time: with others Vega-Lite makes no use of the time
    # axis's ends.
    cells = (
        alt.Chart(alt.NamedData("cells"))
        .mark_rect(aria=False, cursor="pointer", cornerRadius=1, clip=True)
        .encode(
            x=_time_axis(),
            x2="end:T",
            y=y,
            y2="top:Q",
            color=severity_color(),
            tooltip=[
                alt.Tooltip("name:N", title="Symbol"),
                alt.Tooltip("count:Q", title="Anomalies", format=","),
                *counts,
                *([] if clock.is_utc else [alt.Tooltip("local:N", title=clock.city)]),
                utc,
            ],
        )
        .add_params(alt.selection_point(PICKED, fields=["symbol", "start"], on="click", clear=False))
    )
    rules = (
        alt.Chart(alt.NamedData("lanes"))
        .mark_rule(aria=False, color=PRICE_COLOR, opacity=0.22, strokeWidth=1)
        .encode(y="bottom:Q")
    )
    # Names as marks, not as labels of an axis: they change with the data alone.
    names = (
        alt.Chart(alt.NamedData("lanes"))
        .mark_text(aria=False, align="right", baseline="middle", dx=-8, fontSize=12, limit=_NAMES_WIDTH)
        .encode(x=alt.value(0), y="middle:Q", text="name:N", color=alt.value(PRICE_COLOR))
    )
    return (
        alt.layer(cells, rules, names)
        .properties(
            height=lanes * max(LANE_HEIGHT, min(TALLEST_LANE, FULL_HEIGHT // lanes)),
            width="container",
        )
        .to_dict()
    )


def _time_axis() -> alt.X:
    return alt.X(
        "start:T",
        scale=alt.Scale(type="utc", domain=[START, END], nice=False),
        axis=alt.Axis(
            title=zone().heading,
            grid=True,
            gridOpacity=0.5,
            labelExpr=LABELS,
            labelOverlap=True,
            labelSeparation=10,
            labelFlush=True,
            tickCount=_TICKS,
        ),
    )


def describe(overall: pd.DataFrame, by_severity: dict[str, dict[str, int]]) -> str:
    """Say in a sentence or two what the heat map shows, for those who do not see it.

    Parameters
    ----------
    overall
        Cells of all symbols together.
    by_severity
        By ranked symbol: its anomalies by severity.
    """
    if overall.empty:
        return "The heat map is empty."
    busiest = overall.iloc[int(overall["count"].argmax())]
    start, end = (busiest[name].tz_convert(zone().time_zone) for name in ("start", "end"))
    text = (
        f"Most anomalies, {busiest['count']:,}, were from {start:%H:%M:%S} to {end:%H:%M:%S} "
        f"({zone().city}); the worst of them is {busiest['worst']}."
    )
    worst = [f"{symbol} with {_in_words(counts)}" for symbol, counts in list(by_severity.items())[:3]]
    return f"{text} The worst symbols are {'; '.join(worst)}." if worst else text


def _in_words(counts: dict[str, int]) -> str:
    known = [severity for severity in reversed(Severity) if counts.get(severity)]
    return ", ".join(f"{counts[severity]:,} {severity}" for severity in known)
