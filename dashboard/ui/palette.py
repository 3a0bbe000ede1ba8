"""Colours and shapes that mean the same everywhere on the page.

The severities were chosen so that any two stay apart under normal sight, protanopia, deuteranopia and
tritanopia, and so that each stands out from the white page and from the dark one. Size and text say the
same again.
"""

from collections.abc import Iterable

from services.contracts import trade
from services.contracts.anomaly import Severity
from services.contracts.detectors import by_label

CHIP_COLORS = {
    Severity.INFO: "#6a6f78",
    Severity.LOW: "#4a68b8",
    Severity.MEDIUM: "#a437f3",
    Severity.HIGH: "#bf5200",
    Severity.CRITICAL: "#e71d40",
}
"""The severities' colours where white text is on them, as in tables: so dark that it can be read."""

SEVERITY_SIZES = {
    Severity.INFO: 50,
    Severity.LOW: 70,
    Severity.MEDIUM: 120,
    Severity.HIGH: 170,
    Severity.CRITICAL: 240,
}
"""Area of a marker, in square pixels."""

SIDES = {"B": "buys", "A": "sells", "N": "no_side"}
"""A trade's side, which took the initiative, and its name in columns, colours and texts."""

SIDE_COLORS = {name: trade.SIDE_COLORS[side] for side, name in SIDES.items()}
SIDE_NAMES = {"buys": "Buys", "sells": "Sells", "no_side": "No side"}

CANDLE_COLORS = {"up": SIDE_COLORS["buys"], "down": SIDE_COLORS["sells"]}

PRICE_COLOR = "#75889c"
RING_COLOR = "#2f8fd0"
"""Colour of the ring around the selected marker."""

EXPECTED_COLOR = "#5a8f29"
"""Of what detectors expected: bands, and limits as broken lines."""

VWAP_COLOR = "#c2569b"

STRETCH_COLOR = "#c08a1e"
"""Of the stretch of an anomaly that has grown."""

CORRECTION_COLOR = "#3f7d9e"
CANCELLED_SIGN, CORRECTED_SIGN = "✕", "✎"
"""Marks of trades that the venue took back or changed."""

LABEL_SHAPES = {label: spec.shape for label, spec in by_label().items()}
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
    "star": "★",
    "hexagon": "⬢",
    "saltire": "✖",
}
"""Each shape as a character, for text beside the charts."""

VEGA_PATHS = {
    "star": (
        "M0.00,-1.00L0.26,-0.36L0.95,-0.31L0.43,0.14L0.59,0.81L0.00,0.45"
        "L-0.59,0.81L-0.43,0.14L-0.95,-0.31L-0.26,-0.36Z"
    ),
    "hexagon": "M0,-1L0.87,-0.5L0.87,0.5L0,1L-0.87,0.5L-0.87,-0.5Z",
    "saltire": (
        "M-0.65,-1L0,-0.35L0.65,-1L1,-0.65L0.35,0L1,0.65L0.65,1L0,0.35L-0.65,1L-1,0.65L-0.35,0L-1,-0.65Z"
    ),
}
"""Shapes that Vega does not know by name, as SVG paths within -1 and 1."""


def label_shapes(labels: Iterable[str]) -> dict[str, str]:
    """Give each label a shape: the known ones their own, others a spare one in alphabetical order.

    Returns
    -------
    dict
        Label to the name of a shape, a key of `SHAPE_SIGNS`; the known labels first.
    """
    present = set(labels)
    shapes = {label: shape for label, shape in LABEL_SHAPES.items() if label in present}
    for index, label in enumerate(sorted(present - set(LABEL_SHAPES))):
        shapes[label] = _SPARE_SHAPES[index % len(_SPARE_SHAPES)]
    return shapes
