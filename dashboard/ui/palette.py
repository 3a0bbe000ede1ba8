"""Colours and shapes that mean the same everywhere on the page.

The severities were chosen so that any two stay apart under normal sight, protanopia, deuteranopia and
tritanopia, and so that each stands out from the white page and from the dark one. Size and text say the
same again.
"""

from collections.abc import Iterable

from services.contracts.anomaly import Severity
from services.contracts.labels import Label

SEVERITY_COLORS = {
    Severity.INFO: "#8a8f98",
    Severity.LOW: "#6e8eda",
    Severity.MEDIUM: "#a437f3",
    Severity.HIGH: "#fb720c",
    Severity.CRITICAL: "#e71d40",
}
"""From the least urgent to the most."""

SEVERITY_SIZES = {
    Severity.INFO: 50,
    Severity.LOW: 70,
    Severity.MEDIUM: 120,
    Severity.HIGH: 170,
    Severity.CRITICAL: 240,
}
"""Area of a marker, in square pixels."""

SIDE_COLORS = {"buys": "#0f9d8a", "sells": "#b0703c", "no_side": "#8a8f98"}
SIDE_NAMES = {"buys": "Buys", "sells": "Sells", "no_side": "No side"}

CANDLE_COLORS = {"up": SIDE_COLORS["buys"], "down": SIDE_COLORS["sells"]}

PRICE_COLOR = "#75889c"
RING_COLOR = "#2f8fd0"
"""Around the marker that was chosen."""

LABEL_SHAPES = {
    Label.ISOLATION_FOREST: "circle",
    Label.HIGH_VOLUME: "triangle-up",
    Label.RAPID_PRICE_CHANGE: "diamond",
    Label.Z_SCORE: "square",
    Label.OFF_MARKET_PRICE: "triangle-down",
    Label.UNUSUAL_SIZE: "triangle-right",
    Label.BURST: "cross",
    Label.AUCTION_CROSS: "triangle-left",
}
_SPARE_SHAPES = ("wedge", "arrow")
SHAPE_SIGNS = {
    "circle": "●",
    "triangle-up": "▲",
    "diamond": "◆",
    "square": "■",
    "cross": "✚",
    "triangle-down": "▼",
    "triangle-right": "▶",
    "triangle-left": "◀",
    "wedge": "▴",
    "arrow": "↑",
}


def label_shapes(labels: Iterable[str]) -> dict[str, str]:
    """Give each label a shape: the known ones their own, others a spare one in alphabetical order.

    Returns
    -------
    dict
        Label to the name of a Vega shape; the known labels first.
    """
    present = set(labels)
    shapes = {str(label): shape for label, shape in LABEL_SHAPES.items() if label in present}
    for index, label in enumerate(sorted(present - set(LABEL_SHAPES))):
        shapes[label] = _SPARE_SHAPES[index % len(_SPARE_SHAPES)]
    return shapes
