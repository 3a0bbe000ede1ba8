from dashboard.pages.alerts.one_alert import to_delivery_table
from dashboard.pages.alerts.table import columns, to_rows
from tests.alerts import ALERT, changed


def test_alerts_are_rows_in_the_order_given() -> None:
    other = changed(symbol="ELSE", timestamp="2039-12-05T15:00:00Z", count=1_234)
    rows = to_rows([other, ALERT], {})
    assert [row.id for row in rows] == [other.alert_id, ALERT.alert_id]
    assert rows[1].href == f"alerts?id={ALERT.alert_id}"
    first, second = (dict(zip((each.name for each in columns()), row.cells, strict=True)) for row in rows)
    assert (first["Symbol"][0], second["Symbol"][0]) == ("ELSE", "LOOK")
    assert (first["Time"][0], second["Time"][0]) == ("2039-12-05 15:00:00.000", "2039-12-05 15:00:00.030")
    assert (first["Trades"][0], second["Trades"][0]) == ("1,234", "2")
    assert second["Message"][0] == ALERT.message
    assert to_rows([], {}) == []


def test_a_delivery_that_was_held_has_no_try_and_no_answer() -> None:
    held = {"@timestamp": "2039-12-05T15:00:00Z", "channel": "desk", "revision": 1, "outcome": "held"}
    tried = held | {"@timestamp": "2039-12-05T15:00:00.25Z", "outcome": "sent", "attempt": 1, "status": 200}
    table = to_delivery_table([tried, held])
    assert table["Outcome"].tolist() == ["sent", "held"]
    assert table["Try"].isna().tolist() == [False, True]
    assert table["Why"].tolist() == ["", ""]
