"""The curves of the tuning page."""

import math
from typing import Literal

import altair as alt
import pandas as pd
from altair.typing import ChartType

from dashboard.ui.palette import PRICE_COLOR, RING_COLOR
from services.detector.offline.tuning.thresholds import Curve, Present

HEIGHT = 220

_LABEL_WIDTH = 0.1
"""Share of the chart, in a window not too narrow."""

_TICKS = [0, 1, 10, 100, 1_000, 10_000, 100_000, 1_000_000]


def threshold_chart(curve: Curve, trades: int, present: Present, chosen: float, is_log: bool) -> ChartType:
    """Draw how many anomalies each threshold gives, with the current setting and the chosen one.

    Parameters
    ----------
    curve
        k points.
    trades
        How many were judged.
    present
        The profile's threshold.
    chosen
        The one tried; it is not marked if it is the present one.
    is_log
        Whether thresholds stand on a logarithmic axis; they are above 0 then.
    """
    points = pd.DataFrame({"threshold": curve.thresholds, "anomalies": curve.anomalies})
    points["per_1000"] = 1000 * points["anomalies"] / max(trades, 1)
    if is_log:
        points = points[points["threshold"] > 0]
    x = alt.X(
        "threshold:Q",
        title="Threshold",
        scale=alt.Scale(type="log" if is_log else "linear", nice=False, zero=False),
        axis=alt.Axis(
            labelExpr="format(datum.value, datum.value < 1000 ? '~g' : '~s')",
            labelOverlap="greedy",
            labelSeparation=8,
            grid=False,
            values=_round_numbers(points["threshold"]) if is_log else alt.Undefined,
        ),
    )
    y = alt.Y(
        "anomalies:Q",
        title="Anomalies",
        # 0 has a place, which it has not on a logarithmic axis.
        scale=alt.Scale(
            type="symlog", constant=1, nice=False, domain=[0, max(1, int(points["anomalies"].max()))]
        ),
        axis=alt.Axis(values=_TICKS, labelExpr="format(datum.value, '~s')", labelOverlap="greedy"),
    )
    base = alt.Chart(points).encode(x=x)
    line = base.mark_line(color=PRICE_COLOR, strokeWidth=2).encode(y=y)
    # Wide and unseen: the pointer need not meet the line.
    targets = base.mark_rule(strokeWidth=8, opacity=0).encode(
        tooltip=[
            alt.Tooltip("threshold:Q", title="Threshold", format=",.6~g"),
            alt.Tooltip("anomalies:Q", title="Anomalies", format=","),
            alt.Tooltip("per_1000:Q", title="Per 1,000 trades", format=",.3~f"),
        ]
    )
    name = "current" if present.runs else "default"
    layers = [line, _mark(points, present.value, chosen, name, PRICE_COLOR, [4, 3], "top", x, y)]
    if chosen != present.value:
        layers.append(_mark(points, chosen, present.value, "chosen", RING_COLOR, [1, 0], "bottom", x, y))
    return alt.layer(*layers, targets).properties(height=HEIGHT, width="container")


def _round_numbers(thresholds: pd.Series) -> list[float]:
    """Return 1, 2 and 5 times the powers of ten that thresholds lie between, for an axis."""
    first, last = math.floor(math.log10(thresholds.min())), math.ceil(math.log10(thresholds.max()))
    numbers = (float(f"{lead}e{power}") for power in range(first, last + 1) for lead in (1, 2, 5))
    return [number for number in numbers if thresholds.min() <= number <= thresholds.max()]


def _mark(
    points: pd.DataFrame,
    threshold: float,
    other: float,
    name: str,
    color: str,
    dash: list[int],
    place: Literal["top", "bottom"],
    x: alt.X,
    y: alt.Y,
) -> ChartType:
    """Draw a line at a threshold, a point where it meets the curve, and its name at the line's one end."""
    near = points[points["threshold"] >= threshold].head(1)
    anomalies = float(near["anomalies"].iloc[0]) if len(near) else 0.0
    position = (points["threshold"] < threshold).mean()
    # On the side away from the other line, if there is one and there is room; else where there is more.
    has_room = _LABEL_WIDTH < position < 1 - _LABEL_WIDTH
    is_left = bool(threshold < other if has_room and threshold != other else position > 0.5)
    mark = pd.DataFrame({"threshold": [threshold], "anomalies": [anomalies], "name": [name]})
    base = alt.Chart(mark).encode(x=x)
    return alt.layer(
        base.mark_rule(color=color, strokeWidth=1.6, strokeDash=dash),
        base.mark_point(color=color, filled=True, size=70, opacity=1).encode(y=y),
        base.mark_text(
            color=color,
            fontSize=12,
            align="right" if is_left else "left",
            baseline=place,
            dx=-5 if is_left else 5,
        ).encode(y=alt.value(2 if place == "top" else 32), text="name:N"),
    )
