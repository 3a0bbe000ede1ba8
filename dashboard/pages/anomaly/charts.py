"""The charts of one anomaly; makes no queries."""

import math
from collections.abc import Mapping

import altair as alt
import pandas as pd
from altair.typing import ChartType

from dashboard.ui.encodings import SHARES_LABEL, label_shape, severity_color, side_color
from dashboard.ui.exchange import exchange
from dashboard.ui.palette import PRICE_COLOR, RING_COLOR, SIDE_NAMES, SIDES
from dashboard.ui.times import format_times

PRICE_HEIGHT = 260
SIZE_HEIGHT = 170
BAR_HEIGHT = 30
_AXIS_HEIGHT = 30

MAX_BARS = 20
"""Features drawn; those beyond add next to nothing."""

_Y_AXIS_WIDTH = 48
_HALF_BAR = 0.4
"""Half a bar's width, as a share of the space between two trades."""


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


def around_price_chart(trades: pd.DataFrame) -> ChartType:
    """Draw the prices around an anomaly: its trade is ringed, the anomalous ones are marked as everywhere.

    Parameters
    ----------
    trades
        As `queries.find_trades_around` returns them.
    """
    rows = _drawn(trades)
    y = alt.Y(
        "price:Q",
        title="Price",
        scale=alt.Scale(zero=False, nice=False, padding=14),
        axis=alt.Axis(minExtent=_Y_AXIS_WIDTH, maxExtent=_Y_AXIS_WIDTH, tickCount=5),
    )
    line = (
        alt.Chart(rows)
        .mark_line(color=PRICE_COLOR, strokeWidth=1, interpolate="step-after", opacity=0.7)
        .encode(x=_place_axis(trades, has_labels=False), y=y, order="place:Q")
    )
    dots = (
        alt.Chart(rows[rows["severity"] == ""])
        .mark_circle(size=26, opacity=0.9)
        .encode(x="place:Q", y="price:Q", color=side_color("side_name"), tooltip=_tooltip())
    )
    anomalies = rows[rows["severity"] != ""]
    marked = (
        alt.Chart(anomalies)
        .mark_point(filled=True, size=110, opacity=1)
        .encode(
            x="place:Q",
            y="price:Q",
            color=severity_color(),
            shape=label_shape(anomalies["label"]),
            tooltip=_tooltip(),
        )
    )
    ring = (
        alt.Chart(rows[rows["place"] == 0])
        .mark_point(shape="circle", filled=False, size=420, strokeWidth=2, color=RING_COLOR)
        .encode(x="place:Q", y="price:Q", tooltip=_tooltip())
    )
    chart: ChartType = (
        alt.layer(line, dots, marked, ring)
        .resolve_scale(color="independent", shape="independent")
        .properties(height=PRICE_HEIGHT, width="container")
    )
    return chart


def around_size_chart(trades: pd.DataFrame) -> ChartType:
    """Draw the sizes around an anomaly, on the same axis as `around_price_chart`.

    Parameters
    ----------
    trades
        As `queries.find_trades_around` returns them.
    """
    parts = trades["size"][trades["size"] % 1 != 0]
    first = math.floor(math.log10(parts.min())) + 1 if len(parts) else 1
    rows = _drawn(trades).assign(left=trades["place"] - _HALF_BAR, right=trades["place"] + _HALF_BAR)
    bars = (
        alt.Chart(rows)
        .mark_bar()
        .encode(
            x=_place_axis(trades, has_labels=True, field="left"),
            x2="right:Q",
            y=alt.Y(
                "size:Q",
                title="Shares (log)",
                # Sizes of neighbours differ by orders of magnitude; 0 stays 0.
                scale=alt.Scale(type="symlog", constant=10.0**first, domainMin=0, nice=False),
                axis=alt.Axis(
                    labelExpr=SHARES_LABEL,
                    labelOverlap="greedy",
                    minExtent=_Y_AXIS_WIDTH,
                    maxExtent=_Y_AXIS_WIDTH,
                    values=[0, *(10.0**power for power in range(first, 10))],
                ),
            ),
            y2=alt.datum(0),
            color=side_color("side_name"),
            tooltip=_tooltip(),
        )
    )
    return alt.layer(bars).properties(height=SIZE_HEIGHT, width="container")


def _drawn(trades: pd.DataFrame) -> pd.DataFrame:
    times = trades["time"]
    return trades.drop(columns="time").assign(
        side_name=[SIDE_NAMES.get(SIDES.get(side, ""), "No side") for side in trades["side"]],
        utc=format_times(times),
        exchange=format_times(exchange().local(times)),
        since=_since(times, trades["place"]),
    )


def _since(times: pd.Series, places: pd.Series) -> list[str]:
    """Say how long before or after the anomaly each trade was, such as `+0.250 s`."""
    own = times[places == 0].iloc[0]
    return [f"{seconds:+,.3f} s" for seconds in (times - own).dt.total_seconds()]


def _place_axis(trades: pd.DataFrame, has_labels: bool, field: str = "place") -> alt.X:
    return alt.X(
        f"{field}:Q",
        title="Trades before and after" if has_labels else None,
        # The same for both charts, whatever they draw.
        scale=alt.Scale(
            nice=False, domain=[int(trades["place"].min()) - 0.5, int(trades["place"].max()) + 0.5]
        ),
        axis=alt.Axis(
            labels=has_labels,
            ticks=has_labels,
            labelExpr="datum.value ? format(datum.value, '+d') : 'this one'",
            tickCount=10,
            tickMinStep=1,
            # A label beyond the end would make this chart narrower than the one above.
            labelFlush=True,
        ),
    )


def _tooltip() -> list[alt.Tooltip]:
    return [
        alt.Tooltip("price:Q", title="Price", format=",.10~g"),
        alt.Tooltip("size:Q", title="Size", format=","),
        alt.Tooltip("side_name:N", title="Side"),
        alt.Tooltip("since:N", title="Time from the anomaly"),
        alt.Tooltip("utc:N", title="Time (UTC)"),
        alt.Tooltip("exchange:N", title=exchange().city),
        alt.Tooltip("label:N", title="Anomaly"),
        alt.Tooltip("severity:N", title="Severity"),
        alt.Tooltip("trade_id:N", title="Trade id"),
    ]
