import datetime as dt
from typing import Any

from dashboard.server.anomaly_rows import to_anomaly_rows
from dashboard.ui.anomaly_table import anomaly_url, columns_of, rows_of
from services.review.corrections import VenueCorrection
from services.review.verdicts import Verdict
from tests.unit.dashboard.answers import anomaly

JUDGED = Verdict("2", "false alarm", "", "desk", dt.datetime(2026, 3, 2, tzinfo=dt.UTC))
CANCELLED = VenueCorrection("2", "cancel", dt.datetime(2026, 3, 2, 10, 3, 12, tzinfo=dt.UTC))


def listed(*sources: dict[str, Any], **said: Any) -> list[dict[str, tuple[str, str]]]:
    """Return the cells of a list by the headings of its columns."""
    rows = to_anomaly_rows(sources)
    verdicts, corrections = said.get("verdicts", {}), said.get("corrections", {})
    columns = columns_of(rows, verdicts, corrections)
    laid_out = rows_of(rows, columns, verdicts, corrections)
    return [dict(zip((each.heading for each in columns), row.cells, strict=True)) for row in laid_out]


def test_a_row_has_its_time_and_the_message_as_it_is() -> None:
    (row,) = listed(anomaly("1", message="**<i>"))
    assert row["2026-03-02 (UTC)"] == ("14:31:00.000", "")
    assert row["Message"] == ("**<i>", "High Volume · Z-Score")
    assert row["Price"] == ("100.50", "")
    assert row["Size"] == ("50,000", "")


def test_the_day_stands_in_each_row_only_where_there_are_several() -> None:
    first, second = listed(anomaly("1"), anomaly("2", **{"@timestamp": "2026-03-03T14:31:00Z"}))
    assert first["Time (UTC)"][0] == "2026-03-02 14:31:00.000"
    assert second["Time (UTC)"][0] == "2026-03-03 14:31:00.000"


def test_what_was_said_has_a_column_only_where_something_was_said() -> None:
    (row,) = listed(anomaly("1"), verdicts={"2": JUDGED}, corrections={"2": CANCELLED})
    assert not {"Verdict", "Venue (UTC)"} & row.keys()
    first, second = listed(anomaly("1"), anomaly("2"), verdicts={"2": JUDGED}, corrections={"2": CANCELLED})
    assert (first["Verdict"][0], second["Verdict"][0]) == ("", "false alarm")
    assert (first["Venue (UTC)"][0], second["Venue (UTC)"][0]) == ("", "cancelled 10:03:12")


def test_the_heading_of_the_order_has_its_sign_and_those_that_sort_can_be_clicked() -> None:
    rows = to_anomaly_rows([anomaly("1")])
    columns = {each.name: each for each in columns_of(rows, {}, {}, ["Price", "Score"], {"Price": "↓"})}
    assert columns["Price"].heading == "Price ↓"
    assert columns["Score"].sorts
    assert not columns["Message"].sorts


def test_an_id_and_a_list_are_each_one_part_of_an_address_whatever_they_have() -> None:
    assert anomaly_url("a&b=c/#?") == "anomaly?id=a%26b%3Dc%2F%23%3F"
    assert anomaly_url("1", "symbol=A&sort=score") == "anomaly?id=1&list=symbol%3DA%26sort%3Dscore"
