from dashboard.pages.anomaly.charts import (
    MAX_BARS,
    contributions_chart,
    contributions_table,
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
