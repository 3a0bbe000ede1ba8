import pandas as pd

from dashboard.pages.symbol.queries import to_buckets
from tests.unit.dashboard.answers import OPEN, bucket


def test_buckets_have_a_column_for_each_side_whichever_traded() -> None:
    frame = to_buckets([bucket(0, {"A": 7}), bucket(2, {"B": 5, "N": 1})], 60)
    assert frame[["buys", "sells", "no_side"]].to_numpy().tolist() == [[0, 7, 0], [5, 0, 1]]
    assert frame["start"][0] == pd.Timestamp(OPEN)
    assert (frame["end"] - frame["start"]).dt.total_seconds().tolist() == [60, 60]


def test_no_buckets_make_an_empty_frame_with_all_columns() -> None:
    frame = to_buckets([], 60)
    assert frame.empty
    assert frame[["trades", "low", "high", "last", "buys", "sells", "no_side"]].to_numpy().sum() == 0


def test_sizes_that_are_counted_elsewhere_are_taken_off() -> None:
    elsewhere = [bucket(2, {"B": 4})]
    frame = to_buckets([bucket(0, {"A": 7}), bucket(2, {"B": 5, "N": 1})], 60, elsewhere)
    assert frame[["buys", "sells", "no_side"]].to_numpy().tolist() == [[0, 7, 0], [1, 0, 1]]
