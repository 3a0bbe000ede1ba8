import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from altair.typing import ChartType

from dashboard.ui.around_charts import (
    AroundView,
    around_price_chart,
    around_size_chart,
    prices_beyond,
    shown_prices,
)
from dashboard.ui.expected import Expected
from dashboard.ui.palette import EXPECTED_COLOR, SIDE_NAMES, STRETCH_COLOR

VIEW = AroundView()
TRADES = pd.DataFrame(
    {
        "place": [-1, 0, 1],
        "time": pd.to_datetime(
            ["2026-03-02T14:30:59.5Z", "2026-03-02T14:31:00Z", "2026-03-02T14:31:00.25Z"], format="ISO8601"
        ),
        "trade_id": ["a", "b", "c"],
        "price": [10.0, 12.0, 10.5],
        "size": [1, 500, 2],
        "side": ["B", "A", "N"],
        "severity": ["", "high", ""],
        "label": ["", "Burst", ""],
    }
)
FAR_OFF = TRADES.assign(price=[10.0, 100.5, 10.01])


def layers(chart: ChartType) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Return each layer of a chart with what it draws."""
    spec = chart.to_dict()
    # What all layers draw is not repeated in them.
    return [(one, spec["datasets"][one.get("data", spec.get("data"))["name"]]) for one in spec["layer"]]


def of_color(chart: ChartType, color: str) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    return [one for one in layers(chart) if one[0]["mark"].get("color") == color]


def test_each_trade_is_a_dot_and_the_anomalous_ones_are_marked() -> None:
    found = layers(around_price_chart(TRADES, AroundView(all_prices=True)))
    line, dots, marked, ring = (rows for _, rows in found)
    assert [row["price"] for row in line] == [10.0, 12.0, 10.5]
    assert [row["place"] for row in dots] == [-1, 1]
    assert [row["severity"] for row in marked] == ["high"]
    assert found[2][0]["encoding"]["shape"]["scale"] == {"domain": ["Burst"], "range": ["cross"]}
    assert [row["trade_id"] for row in ring] == ["b"]
    assert [row["since"] for row in line] == ["-500.000 ms", "+0.000 ms", "+250.000 ms"]
    assert [row["price_text"] for row in line] == ["10.00", "12.00", "10.50"]
    assert line[0]["local"] == line[0]["utc"]


@pytest.mark.parametrize("chart", [around_price_chart, around_size_chart])
def test_both_charts_have_the_same_axis_of_trades_or_of_time(
    chart: Callable[[pd.DataFrame, AroundView], ChartType],
) -> None:
    def domain(view: AroundView) -> list[float]:
        found: list[float] = layers(chart(TRADES, view))[0][0]["encoding"]["x"]["scale"]["domain"]
        return found

    assert domain(VIEW) == [-1.5, 1.5]
    assert domain(AroundView(by_time=True)) == [-507.5, 257.5]


def test_the_axis_of_time_has_a_unit_that_fits() -> None:
    for factor, title in ((1, "milliseconds"), (60, "seconds"), (6000, "minutes")):
        own = TRADES["time"][1]
        slow = TRADES.assign(time=own + (TRADES["time"] - own) * factor)
        axis = layers(around_size_chart(slow, AroundView(by_time=True)))[0][0]["encoding"]["x"]
        assert axis["title"] == f"Time before and after, in {title}"


def test_a_trade_far_off_stands_at_the_edge_with_its_price() -> None:
    assert prices_beyond(TRADES.assign(price=[10.0, 10.02, 10.01])) is None
    assert prices_beyond(FAR_OFF) is not None
    found = layers(around_price_chart(FAR_OFF, VIEW))
    low, high = found[0][0]["encoding"]["y"]["scale"]["domain"]
    assert 9.9 < low < 10.0 < 10.01 < high < 10.1
    assert [row["level"] for row in found[0][1]] == [10.0, high, 10.01]
    assert [row["text"] for row in found[-1][1]] == ["▲ 100.50"]
    assert found[0][1][1]["price_text"] == "100.50"


def test_every_price_is_shown_on_demand() -> None:
    found = layers(around_price_chart(FAR_OFF, AroundView(all_prices=True)))
    assert found[0][0]["encoding"]["y"]["scale"]["domain"][1] > 100.5
    assert len(found) == 4


def test_a_stretch_is_a_band_from_its_first_print_to_its_last() -> None:
    for chart in (around_price_chart, around_size_chart):
        ((_, band),) = of_color(chart(TRADES, AroundView(stretch=(0, 1))), STRETCH_COLOR)
        assert band == [{"x": -0.5, "until": 1.5}]
        ((_, band),) = of_color(chart(TRADES, AroundView(by_time=True, stretch=(0, 1))), STRETCH_COLOR)
        assert band == [{"x": 0.0, "until": 250.0}]


def test_what_was_expected_is_a_band_and_the_limit_a_line() -> None:
    expected = Expected(low=10.0, high=10.4, price_limit=11.0, size=40.0, size_limit=400.0)
    view = AroundView(all_prices=True, expected=expected)
    (_, band), (_, limit) = of_color(around_price_chart(TRADES, view), EXPECTED_COLOR)
    assert band == [{"x": -1.0, "until": 0.0, "low": 10.0, "high": 10.4}]
    assert limit == [{"x": -1.0, "until": 0.0, "limit": 11.0}]
    sizes = of_color(around_size_chart(TRADES, view), EXPECTED_COLOR)
    assert [rows for _, rows in sizes] == [[{"size": 40.0}], [{"size": 400.0}]]


def test_the_axis_reaches_to_the_limit_unless_that_would_flatten_the_prices() -> None:
    def drawn(limit: float) -> list[list[dict[str, Any]]]:
        view = AroundView(expected=Expected(price_limit=limit))
        chart = around_price_chart(FAR_OFF, view)
        ((low, high),) = (
            one["encoding"]["y"]["scale"]["domain"]
            for one, _ in layers(chart)
            if "scale" in one["encoding"]["y"]
        )
        assert (limit in shown_prices(FAR_OFF, view)) == (low <= limit <= high)
        return [rows for _, rows in of_color(chart, EXPECTED_COLOR)]

    assert drawn(10.12) == [[{"x": -1.0, "until": 0.0, "limit": 10.12}]]
    assert drawn(9.9) == [[{"x": -1.0, "until": 0.0, "limit": 9.9}]]
    assert drawn(11.0) == []


def test_sizes_have_the_colours_of_their_sides() -> None:
    text = json.dumps(around_size_chart(TRADES, VIEW).to_dict())
    assert all(f'"side_name": "{name}"' in text for name in SIDE_NAMES.values())
