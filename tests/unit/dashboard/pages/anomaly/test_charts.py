import json

import pandas as pd

from dashboard.pages.anomaly.charts import (
    MAX_BARS,
    around_price_chart,
    around_size_chart,
    contributions_chart,
    contributions_table,
)
from dashboard.ui.palette import SIDE_NAMES

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


def test_the_largest_contributions_come_first_and_not_all() -> None:
    shares = {f"f_{number}": 1 / 40 for number in range(30)} | {"size_surprise": 0.249, "tiny": 0.001}
    table = contributions_table(shares, {"size_surprise": 12_345.678})
    assert len(table) == MAX_BARS
    assert table.iloc[0].tolist() == ["size surprise", 0.249, "25%", "12,345.7"]
    assert contributions_table({"tiny": 0.001}, {}).iloc[0].tolist() == ["tiny", 0.001, "< 1%", ""]


def test_a_bar_is_as_long_as_the_share() -> None:
    spec = contributions_chart(contributions_table({"a": 0.75, "b": 0.25}, {})).to_dict()
    (rows,) = spec["datasets"].values()
    assert [row["share"] for row in rows] == [0.75, 0.25]
    assert spec["layer"][0]["encoding"]["y"]["sort"] is None


def test_each_trade_is_a_dot_and_the_anomalous_ones_are_marked() -> None:
    spec = around_price_chart(TRADES).to_dict()
    line, dots, marked, ring = (spec["datasets"][layer["data"]["name"]] for layer in spec["layer"])
    assert [row["price"] for row in line] == [10.0, 12.0, 10.5]
    assert [row["place"] for row in dots] == [-1, 1]
    assert [row["severity"] for row in marked] == ["high"]
    assert spec["layer"][2]["encoding"]["shape"]["scale"] == {"domain": ["Burst"], "range": ["cross"]}
    assert [row["trade_id"] for row in ring] == ["b"]
    assert [row["since"] for row in line] == ["-0.500 s", "+0.000 s", "+0.250 s"]
    assert line[0]["exchange"] == "2026-03-02 09:30:59.500"


def test_both_charts_have_the_same_axis_of_trades() -> None:
    domains = [
        chart(TRADES).to_dict()["layer"][0]["encoding"]["x"]["scale"]["domain"]
        for chart in (around_price_chart, around_size_chart)
    ]
    assert domains == [[-1.5, 1.5], [-1.5, 1.5]]


def test_sizes_have_the_colours_of_their_sides() -> None:
    text = json.dumps(around_size_chart(TRADES).to_dict())
    assert all(f'"side_name": "{name}"' in text for name in SIDE_NAMES.values())
