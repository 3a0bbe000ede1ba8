"""The charts of the trades around an anomaly; makes no queries."""

import math
from dataclasses import dataclass, field
from typing import Any

import altair as alt
import pandas as pd
from altair.typing import ChartType

from dashboard.ui.encodings import SHARES_LABEL, label_shape, severity_color, side_color, time_tooltip
from dashboard.ui.expected import RECENT, Expected
from dashboard.ui.palette import EXPECTED_COLOR, PRICE_COLOR, RING_COLOR, SIDE_NAMES, SIDES, STRETCH_COLOR
from dashboard.ui.price_edges import edge_texts
from dashboard.ui.prices import (
    PriceRange,
    axis_range,
    market_range,
    price_text,
    reaching,
    tick_decimals,
)
from dashboard.ui.times import format_times, format_utc

PRICE_HEIGHT = 260

SIZE_HEIGHT = 170

_Y_AXIS_WIDTH = 48

_HALF_BAR = 0.4
"""Half a bar's width, as a share of the space between two trades."""

_ROOM, _LEAST_ROOM = 20.0, 0.005
"""So many of the market's ranges, and at least that share of the price, a print is drawn where it is."""

_NOTE_WIDTH = 0.1
"""Share of the axis of trades that the text of a print at the edge takes."""

_UNITS_S = ((120.0, 60.0, "minutes"), (2.0, 1.0, "seconds"), (0.0, 0.001, "milliseconds"))
"""From how many seconds on an axis of time has which unit, and its length in seconds."""


@dataclass(frozen=True)
class AroundView:
    """How the trades around an anomaly are drawn."""

    by_time: bool = False
    """By the time of each trade, not evenly spaced."""
    all_prices: bool = False
    """The price axis shows every price, also those far off the market."""
    stretch: tuple[int, int] | None = None
    """The places of the first and the last print of the anomaly's stretch."""
    expected: Expected = field(default_factory=Expected)


def prices_beyond(trades: pd.DataFrame) -> PriceRange | None:
    """Return the market's range if a trade is far outside, as `market_range` says it."""
    prices = trades["price"]
    market = market_range(prices, pd.Series([0.0]), _ROOM, _LEAST_ROOM)
    return market if market is not None and market.is_beyond(prices).any() else None


def shown_prices(trades: pd.DataFrame, view: AroundView) -> PriceRange:
    """Return what the price axis shows: the market or all prices, and the limit unless it is far away."""
    prices = trades["price"]
    decimals = tick_decimals(prices)
    market = None if view.all_prices else prices_beyond(trades)
    inside = prices if market is None else prices[~market.is_beyond(prices)]
    near = PriceRange(inside.min(), inside.max()) if market is None else market
    expected = view.expected
    recent = [one for one in (expected.low, expected.high) if one is not None and one in near]
    inside = pd.concat([inside, pd.Series(recent, dtype="float64")])
    shown = axis_range(inside, decimals)
    if expected.price_limit is None:
        return shown
    return reaching(shown, axis_range(pd.concat([inside, pd.Series([expected.price_limit])]), decimals))


def around_price_chart(trades: pd.DataFrame, view: AroundView) -> ChartType:
    """Draw the prices around an anomaly: its trade is ringed, the anomalous ones are marked as everywhere.

    Parameters
    ----------
    trades
        As `one_anomaly.find_trades_around` returns them.
    view
        How they are drawn.
    """
    rows = _drawn(trades, view)
    prices = trades["price"]
    decimals = tick_decimals(prices)
    shown = shown_prices(trades, view)
    rows = rows.assign(level=shown.clip(prices), price_text=[price_text(price, decimals) for price in prices])
    x = _axis(rows, view, has_labels=False)
    y = alt.Y(
        "level:Q",
        title="Price",
        scale=alt.Scale(zero=False, nice=False, domain=[shown.low, shown.high]),
        axis=alt.Axis(
            minExtent=_Y_AXIS_WIDTH,
            maxExtent=_Y_AXIS_WIDTH,
            tickCount=5,
            tickMinStep=10.0**-decimals,
            format=f",.{decimals}f",
        ),
    )
    line = (
        alt.Chart(rows)
        .mark_line(color=PRICE_COLOR, strokeWidth=1, interpolate="step-after", opacity=0.7)
        .encode(x=x, y=y, order="place:Q")
    )
    dots = (
        alt.Chart(rows[rows["severity"] == ""])
        .mark_circle(size=26, opacity=0.9)
        .encode(x="x:Q", y="level:Q", color=side_color("side_name"), tooltip=_tooltip())
    )
    anomalies = rows[rows["severity"] != ""]
    marked = (
        alt.Chart(anomalies)
        .mark_point(filled=True, size=110, opacity=1)
        .encode(
            x="x:Q",
            y="level:Q",
            color=severity_color(),
            shape=label_shape(anomalies["label"]),
            tooltip=_tooltip(),
        )
    )
    ring = (
        alt.Chart(rows[rows["place"] == 0])
        .mark_point(shape="circle", filled=False, size=420, strokeWidth=2, color=RING_COLOR)
        .encode(x="x:Q", y="level:Q", tooltip=_tooltip())
    )
    chart: ChartType = (
        alt.layer(
            *_stretch_layer(rows, view),
            *_expected_prices(rows, view, shown),
            line,
            dots,
            marked,
            ring,
            *_edges(rows, prices, shown, decimals),
        )
        .resolve_scale(color="independent", shape="independent")
        .properties(height=PRICE_HEIGHT, width="container")
    )
    return chart


def around_size_chart(trades: pd.DataFrame, view: AroundView) -> ChartType:
    """Draw the sizes around an anomaly, on the same axis as `around_price_chart`.

    Parameters
    ----------
    trades
        As `one_anomaly.find_trades_around` returns them.
    view
        How they are drawn.
    """
    parts = trades["size"][trades["size"] % 1 != 0]
    first = math.floor(math.log10(parts.min())) + 1 if len(parts) else 1
    rows = _drawn(trades, view)
    half = _HALF_BAR if not view.by_time else 0.002 * (rows["x"].max() - rows["x"].min())
    rows = rows.assign(left=rows["x"] - half, right=rows["x"] + half)
    bars = (
        alt.Chart(rows)
        .mark_bar()
        .encode(
            x=_axis(rows, view, has_labels=True, field="left"),
            x2="right:Q",
            y=alt.Y(
                "size:Q",
                title="Size (log)",
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
    rules = [
        alt.Chart(pd.DataFrame({"size": [size]}))
        .mark_rule(color=EXPECTED_COLOR, strokeWidth=1.6, strokeDash=dash)
        .encode(y="size:Q")
        for size, dash in ((view.expected.size, [1, 0]), (view.expected.size_limit, [5, 4]))
        if size is not None
    ]
    return alt.layer(*_stretch_layer(rows, view, SIZE_HEIGHT), bars, *rules).properties(
        height=SIZE_HEIGHT, width="container"
    )


def _drawn(trades: pd.DataFrame, view: AroundView) -> pd.DataFrame:
    times = trades["time"]
    seconds = _seconds(trades)
    x = seconds / _unit(seconds)[0] if view.by_time else trades["place"].astype("float64")
    return trades.drop(columns="time").assign(
        x=x,
        seconds=seconds,
        side_name=[SIDE_NAMES.get(SIDES.get(side, ""), "No side") for side in trades["side"]],
        price_text=trades["price"].map("{:,.10g}".format),
        utc=format_utc(times),
        local=format_times(times),
        since=[f"{one:+,.3f} s" if abs(one) >= 1 else f"{1000 * one:+,.3f} ms" for one in seconds],
    )


def _seconds(trades: pd.DataFrame) -> pd.Series:
    """Return how long after the anomaly each trade was."""
    times = trades["time"]
    seconds: pd.Series = (times - times[trades["place"] == 0].iloc[0]).dt.total_seconds()
    return seconds


def _unit(seconds: pd.Series) -> tuple[float, str]:
    """Return the unit of an axis of time, in seconds, and its name."""
    length_s = float(seconds.max() - seconds.min())
    return next((unit_s, name) for least_s, unit_s, name in _UNITS_S if length_s >= least_s)


def _axis(rows: pd.DataFrame, view: AroundView, has_labels: bool, field: str = "x") -> alt.X:
    # The same for both charts, whatever they draw.
    first, last = float(rows["x"].min()), float(rows["x"].max())
    title, room, least_step = "Trades before and after", 0.5, 1.0
    label = "datum.value ? format(datum.value, '+d') : 'this one'"
    if view.by_time:
        title = f"Time before and after, in {_unit(rows['seconds'])[1]}"
        room, least_step = 0.01 * (last - first) or 0.5, 0.001
        label = "datum.value ? format(datum.value, '+,~r') : 'this one'"
    return alt.X(
        f"{field}:Q",
        title=title if has_labels else None,
        scale=alt.Scale(nice=False, domain=[first - room, last + room]),
        axis=alt.Axis(
            labels=has_labels,
            ticks=has_labels,
            labelExpr=label,
            tickCount=10,
            # A label beyond the end would make this chart narrower than the one above.
            labelFlush=True,
            tickMinStep=least_step,
        ),
    )


def _stretch_layer(rows: pd.DataFrame, view: AroundView, height: int = PRICE_HEIGHT) -> list[alt.Chart]:
    """Return the stretch of an anomaly that has grown, as a band."""
    if view.stretch is None:
        return []
    first, last = view.stretch
    inside = rows[(rows["place"] >= first) & (rows["place"] <= last)]["x"]
    room = 0.0 if view.by_time else 0.5
    ends = pd.DataFrame({"x": [inside.min() - room], "until": [inside.max() + room]})
    chart = (
        alt.Chart(ends)
        .mark_rect(color=STRETCH_COLOR, opacity=0.16, clip=True, stroke=STRETCH_COLOR, strokeOpacity=0.5)
        .encode(x="x:Q", x2="until:Q", y=alt.value(0), y2=alt.value(height))
    )
    return [chart]


def _expected_prices(rows: pd.DataFrame, view: AroundView, shown: PriceRange) -> list[alt.Chart]:
    """Return the recent prices that the anomaly's own was compared with, and the limit."""
    expected = view.expected
    recent = rows[(rows["place"] >= -RECENT) & (rows["place"] <= 0)]["x"]
    ends = {"x": [recent.min()], "until": [recent.max()]}
    layers = []
    if expected.low is not None and expected.high is not None and expected.high >= shown.low:
        prices = pd.DataFrame({**ends, "low": [expected.low], "high": [expected.high]})
        band = alt.Chart(prices).mark_rect(
            color=EXPECTED_COLOR, fillOpacity=0.25, stroke=EXPECTED_COLOR, clip=True
        )
        layers.append(band.encode(x="x:Q", x2="until:Q", y="low:Q", y2="high:Q"))
    if expected.price_limit is not None and expected.price_limit in shown:
        limit = pd.DataFrame({**ends, "limit": [expected.price_limit]})
        rule = alt.Chart(limit).mark_rule(color=EXPECTED_COLOR, strokeWidth=1.6, strokeDash=[5, 4])
        layers.append(rule.encode(x="x:Q", x2="until:Q", y="limit:Q"))
    return layers


def _edges(rows: pd.DataFrame, prices: pd.Series, shown: PriceRange, decimals: int) -> list[alt.Chart]:
    """Return the prices of trades beyond the axis, at its edge."""
    beyond = rows[(prices < shown.low) | (prices > shown.high)]
    if beyond.empty:
        return []
    first, last = float(rows["x"].min()), float(rows["x"].max())
    texts = edge_texts(beyond["x"], beyond["price"], shown, decimals, _NOTE_WIDTH * (last - first))
    is_left = beyond["x"] < (first + last) / 2
    sides: tuple[tuple[pd.Series, Any, int], ...] = ((is_left, "left", 14), (~is_left, "right", -14))
    return [
        alt.Chart(beyond.assign(text=texts)[side])
        .mark_text(align=align, dx=dx, fontSize=12, fontWeight="bold", color=PRICE_COLOR)
        .encode(x="x:Q", y="level:Q", text="text:N", tooltip=_tooltip())
        for side, align, dx in sides
        if side.any()
    ]


def _tooltip() -> list[alt.Tooltip]:
    return [
        alt.Tooltip("price_text:N", title="Price"),
        alt.Tooltip("size:Q", title="Size", format=","),
        alt.Tooltip("side_name:N", title="Side"),
        alt.Tooltip("since:N", title="Time from the anomaly"),
        *time_tooltip(),
        alt.Tooltip("label:N", title="Anomaly"),
        alt.Tooltip("severity:N", title="Severity"),
        alt.Tooltip("trade_id:N", title="Trade id"),
    ]
