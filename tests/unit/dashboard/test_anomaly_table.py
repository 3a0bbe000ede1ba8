import pandas as pd

from dashboard.anomaly_table import price_decimals, to_table
from dashboard.queries import to_anomaly_rows
from tests.unit.dashboard.answers import anomaly


def test_a_row_has_both_times_and_the_message_as_it_is() -> None:
    (row,) = to_table(to_anomaly_rows([anomaly("1", message="**<i>")])).to_dict("records")
    assert row["Time (UTC)"] == "2026-03-02 14:31:00.000"
    assert row["New York"] == "09:31:00"
    assert row["Labels"] == ["High Volume", "Z-Score"]
    assert row["Message"] == "**<i>"


def test_prices_are_shown_in_full() -> None:
    assert price_decimals(pd.Series([139.0, 138.55])) == 2
    assert price_decimals(pd.Series([139.0, 138.5525])) == 4
