"""Colours and shapes of marks in any chart; their legends stand beside the charts."""

from collections.abc import Iterable

import altair as alt

from dashboard.ui.palette import SIDE_COLORS, SIDE_NAMES, VEGA_PATHS, label_shapes
from dashboard.ui.zone import zone
from services.contracts.anomaly import SEVERITY_COLORS

SHARES_LABEL = "format(datum.value, datum.value < 1 ? '~g' : '~s')"
"""How an axis writes numbers of shares: `20k`, and `0.25` of one."""


def time_tooltip() -> list[alt.Tooltip]:
    """Say the field `local`, a time by the chosen clock, and `utc`."""
    utc = alt.Tooltip("utc:N", title="Time (UTC)")
    return [utc] if zone().is_utc else [alt.Tooltip("local:N", title=zone().heading), utc]


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
