import datetime as dt

import pandas as pd

from dashboard.server.anomaly_rows import to_anomaly_rows
from dashboard.ui.anomaly_table import page_url, price_decimals, to_judged_table, to_table
from services.review.corrections import VenueCorrection
from services.review.verdicts import Verdict
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


def test_a_row_has_its_verdict_and_the_way_to_its_page() -> None:
    verdict = Verdict("2", "false alarm", "", "desk", dt.datetime(2026, 3, 2, tzinfo=dt.UTC))
    rows = to_anomaly_rows([anomaly("1"), anomaly("2")])
    table = to_judged_table(rows, {"2": verdict}, {})
    assert table["Verdict"].tolist() == ["", "false alarm"]
    assert table["Open"].tolist() == ["anomaly?id=1", "anomaly?id=2"]


def test_what_the_venue_said_has_a_column_only_where_it_said_something() -> None:
    rows = to_anomaly_rows([anomaly("1"), anomaly("2")])
    cancelled = VenueCorrection("2", "cancel", dt.datetime(2026, 3, 2, 10, 3, 12, tzinfo=dt.UTC))
    assert "Venue" not in to_judged_table(rows, {}, {})
    assert to_judged_table(rows, {}, {"2": cancelled})["Venue"].tolist() == ["", "cancelled 10:03:12"]


def test_an_id_is_one_part_of_an_address_whatever_it_has() -> None:
    assert page_url("a&b=c/#?") == "anomaly?id=a%26b%3Dc%2F%23%3F"
