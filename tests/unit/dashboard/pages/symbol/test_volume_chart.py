import pandas as pd
import pytest

from dashboard.pages.symbol.queries import TradeSummary, to_buckets
from dashboard.pages.symbol.volume_chart import tall_bars, volume_blocks, volume_chart, volume_limit
from tests.unit.dashboard.answers import RANGE, bucket, drawn


def test_volume_is_stacked_to_the_total() -> None:
    blocks = volume_blocks(to_buckets([bucket(0, {"A": 7, "B": 5}), bucket(1, {"N": 2})], 60))
    assert blocks[["side", "bottom", "top", "total"]].to_numpy().tolist() == [
        ["Buys", 0, 5, 12],
        ["Sells", 5, 12, 12],
        ["No side", 0, 2, 2],
    ]


def test_a_huge_bar_is_cut_off_and_labelled_with_its_height() -> None:
    shares = [100] * 98 + [1_000_000, 14_200_000]
    frame = to_buckets([bucket(minute, {"N": n}) for minute, n in enumerate(shares)], 60)
    blocks = volume_blocks(frame)
    limit = volume_limit(pd.Series(shares))
    assert limit < 1_000_000
    # The two stand side by side, where there is room for one label.
    assert tall_bars(blocks, limit, RANGE)["note"].tolist() == ["▲ 14.2 M"]
    labels = drawn(volume_chart(TradeSummary(1, 1, 60, frame), RANGE), "notes")
    assert [label["left"] + label["right"] for label in labels] == ["▲ 14.2 M"]


@pytest.mark.parametrize("shares", [[0], [5], [1, 2, 3]])
def test_usual_bars_are_not_cut(shares: list[int]) -> None:
    assert volume_limit(pd.Series(shares)) == max(shares)
