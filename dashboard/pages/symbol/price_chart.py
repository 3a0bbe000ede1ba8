"""The symbol page's chart of prices with the anomalies on them; makes no queries."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import altair as alt
import pandas as pd

from dashboard.pages.symbol.chart import AXIS, Chart, axis_frame, serializable
from dashboard.pages.symbol.expected import PRICES, Expected
from dashboard.pages.symbol.expected_charts import band_frame, band_layers
from dashboard.pages.symbol.feed_layers import feed_frames, feed_layers
from dashboard.pages.symbol.marker_layers import (
    Said,
    cross_frame,
    crosses,
    edge_frame,
    edges,
    mark_frame,
    markers,
    stretch_frame,
    stretches,
)
from dashboard.pages.symbol.price_axis import PriceAxis
from dashboard.pages.symbol.price_layers import axis_layer, candle_layers, line_layers, price_frame
from dashboard.pages.symbol.queries import TradeSummary, to_prints
from dashboard.pages.symbol.vwap import vwap_frame, vwap_layer
from dashboard.ui.kept_charts import kept_by_clock, on_time_axis
from dashboard.ui.palette import LABEL_SHAPES, label_shapes
from dashboard.ui.time_ranges import TimeRange

PRICE_HEIGHT = 340


@dataclass(frozen=True)
class Marks:
    """What is marked on the prices."""

    anomalies: pd.DataFrame
    """As in `AnomalySummary.rows`, with `until` as `stretch_frame` takes it."""
    crosses: pd.DataFrame = field(default_factory=lambda: to_prints([]))
    """Cancelled prints, as in `Cancelled.prints`."""
    beyond: pd.DataFrame = field(default_factory=lambda: to_prints([]))
    """Prints beyond the axis, as in `Beyond.prints`."""
    happened: pd.DataFrame = field(default_factory=pd.DataFrame)
    """What happened to the feed, as `feed_marks` returns it."""
    vwap: pd.DataFrame | None = None
    """As `find_vwap` returns it; None to leave it out."""
    expected: Expected | None = None
    """What the detector expected; None to leave it out."""


def price_chart(
    trades: TradeSummary,
    axis: PriceAxis,
    marks: Marks,
    time_range: TimeRange,
    said: Said,
    candles: bool = False,
    chosen: Collection[str] = (),
    selected: str | None = None,
) -> Chart:
    """Draw prices and the anomalies on them, above the chosen clock.

    Parameters
    ----------
    trades
        With one bucket at least.
    axis
        What the price axis shows.
    marks
        What is marked.
    time_range
        What the time axis shows.
    said
        What people and venues said of what is marked.
    candles
        Draw from which price to which each bucket went, and its range; `trades` must have been summarized for
        that. Else draw the last price as a line, and the range.
    chosen
        Severities that were asked for.
    selected
        The `trade_id` of an anomaly that gets a ring.
    """
    labels = label_shapes([*LABEL_SHAPES, *marks.anomalies["label"]])
    ends = axis_frame(time_range).assign(low=axis.shown.low, high=axis.shown.high, decimals=axis.decimals)
    # One specification and the same names of data for whatever is shown, so that the browser keeps the chart;
    # to lay out no rows would take as long as to lay out a few.
    none = pd.DataFrame()
    prices = price_frame(trades, axis, candles)
    crossed, beyond, happened = marks.crosses, marks.beyond, marks.happened
    bands, ticks = (none, none) if happened.empty else feed_frames(happened, time_range)
    frames = {
        AXIS: ends,
        "buckets": none if candles else prices,
        "candles": prices if candles else none,
        "stretches": stretch_frame(marks.anomalies),
        "marks": mark_frame(marks.anomalies, axis, said, chosen, selected),
        "crosses": none if crossed.empty else cross_frame(crossed, axis, said),
        "edges": none if beyond.empty else edge_frame(beyond, axis, time_range),
        "bands": bands,
        "ticks": ticks,
    }
    if marks.vwap is not None:
        frames["vwap"] = vwap_frame(marks.vwap, trades)
    expected = marks.expected if marks.expected is not None and marks.expected.has(PRICES) else None
    if expected is not None:
        frames["expected"] = band_frame(expected, axis, trades.bucket_s)
    return Chart(
        on_time_axis(
            _price_spec(tuple(labels), marks.vwap is not None, expected is not None),
            time_range,
        ),
        {name: serializable(frame) for name, frame in frames.items()},
    )


@kept_by_clock
def _price_spec(labels: tuple[str, ...], has_vwap: bool, has_expected: bool) -> dict[str, Any]:
    below, above = feed_layers(PRICE_HEIGHT)
    layers = [
        axis_layer(),
        *(band_layers() if has_expected else []),
        *below,
        stretches(PRICE_HEIGHT),
        *line_layers(),
        *candle_layers(),
        *([vwap_layer()] if has_vwap else []),
        *above,
        markers(labels),
        crosses(),
        edges(),
    ]
    return alt.layer(*layers).properties(height=PRICE_HEIGHT, width="container").to_dict()
