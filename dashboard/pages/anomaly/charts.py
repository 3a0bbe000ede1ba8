"""The chart of what made an anomaly one; makes no queries."""

from collections.abc import Mapping

import altair as alt
import pandas as pd
from altair.typing import ChartType

from dashboard.ui.palette import PRICE_COLOR

BAR_HEIGHT = 30
_AXIS_HEIGHT = 30

MAX_BARS = 20
"""Features drawn; those beyond add next to nothing."""


def contributions_table(contributions: Mapping[str, float], features: Mapping[str, float]) -> pd.DataFrame:
    """Lay out which features made an anomaly one.

    Parameters
    ----------
    contributions
        Feature to its share, 0 to 1.
    features
        Feature to its value; may lack some, and have others.

    Returns
    -------
    pandas.DataFrame
        The `MAX_BARS` largest, largest first: `feature` (as words), `share`, `percent` (as text), `value` (as
        text, empty where it is not known).
    """
    largest = sorted(contributions.items(), key=lambda item: (-item[1], item[0]))[:MAX_BARS]
    return pd.DataFrame(
        [
            {
                "feature": name.replace("_", " "),
                "share": share,
                "percent": f"{share:.0%}" if share >= 0.01 or share == 0 else "< 1%",
                "value": f"{features[name]:,.6g}" if name in features else "",
            }
            for name, share in largest
        ],
        columns=["feature", "share", "percent", "value"],
    )


def contributions_chart(table: pd.DataFrame) -> ChartType:
    """Draw a bar for each feature, as long as its share.

    Parameters
    ----------
    table
        As `contributions_table` returns it, with one row at least.
    """
    y = alt.Y("feature:N", sort=None, title=None, axis=alt.Axis(labelLimit=160, ticks=False, domain=False))
    x = alt.X(
        "share:Q",
        title=None,
        # Beyond the whole there is room for the text of the longest bar.
        scale=alt.Scale(domain=[0, 1.12], nice=False),
        axis=alt.Axis(format="%", values=[0, 0.25, 0.5, 0.75, 1]),
    )
    tooltip = [
        alt.Tooltip("feature:N", title="Feature"),
        alt.Tooltip("percent:N", title="Share"),
        alt.Tooltip("value:N", title="Value"),
    ]
    base = alt.Chart(table)
    bars = base.mark_bar(color=PRICE_COLOR, height=16).encode(x=x, y=y, tooltip=tooltip)
    texts = base.mark_text(align="left", dx=5, color=PRICE_COLOR, fontSize=12).encode(
        x="share:Q", y=y, text="percent:N"
    )
    return alt.layer(bars, texts).properties(height=BAR_HEIGHT * len(table) + _AXIS_HEIGHT, width="container")
