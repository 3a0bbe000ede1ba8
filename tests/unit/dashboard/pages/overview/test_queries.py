import pandas as pd
import pytest

from dashboard.pages.overview.queries import Price, _named, to_cells
from tests.unit.dashboard.answers import OPEN


def test_a_cell_has_its_counts_and_the_worst_severity() -> None:
    counts = [{"key": "low", "doc_count": 5}, {"key": "high", "doc_count": 2}]
    bucket = {"key": int(OPEN.timestamp() * 1000), "doc_count": 7, "by_severity": {"buckets": counts}}
    (cell,) = to_cells({"ACME": [bucket]}, 900).to_dict("records")
    assert (cell["symbol"], cell["count"], cell["worst"]) == ("ACME", 7, "high")
    assert (cell["critical"], cell["high"], cell["low"], cell["info"]) == (0, 2, 5, 0)
    assert cell["end"] - cell["start"] == pd.Timedelta(minutes=15)
    assert cell["start"] == pd.Timestamp(OPEN)


def test_no_buckets_make_no_cells() -> None:
    assert to_cells({"": []}, 60)["count"].sum() == 0


@pytest.mark.parametrize(("find", "pattern"), [("btc", "*btc*"), ("B*?", "*B\\*\\?*"), ("a\\b", "*a\\\\b*")])
def test_a_name_that_is_looked_for_is_no_pattern(find: str, pattern: str) -> None:
    assert _named(find) == {"wildcard": {"symbol": {"value": pattern, "case_insensitive": True}}}


def test_a_change_is_a_share_of_the_first_price() -> None:
    assert Price(50.0, 51.0).change == pytest.approx(0.02)
    assert Price(0.0, 51.0).change == 0
