import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from services.detector.offline.evaluation.reshape import CLUSTER_GAP_NS, STOCK_KINDS, at_price, thin
from tests.narrow import number
from tests.unit.services.detector.offline.evaluation.days import generated_day

OTHERS = ("price", "size")


@pytest.mark.parametrize(("dollars", "tick_nanos"), [(4.0, 10_000_000), (3500.0, 10_000_000), (0.2, 100_000)])
def test_another_price_level_keeps_the_day_and_its_moves(dollars: float, tick_nanos: int) -> None:
    day = generated_day()
    other = at_price(day, dollars)
    assert_frame_equal(other.drop(OTHERS), day.drop(OTHERS))
    assert (other["price"] % tick_nanos == 0).all()
    for name in day["symbol"].unique():
        before, after = (frame.filter(pl.col("symbol") == name)["price"].to_numpy() for frame in (day, other))
        assert np.median(after) == pytest.approx(dollars * 1e9, abs=tick_nanos)
        factor = dollars * 1e9 / np.median(before)
        assert np.abs(after - before * factor).max() <= tick_nanos / 2 + 1


def test_dearer_shares_trade_in_smaller_sizes_cheaper_ones_as_before() -> None:
    day = generated_day(symbols=1)
    dear, cheap = at_price(day, 3500.0), at_price(day, 4.0)
    root = np.sqrt(3500e9 / number(day["price"].median()))
    assert number(dear["size"].min()) >= 1
    assert (np.abs(dear["size"] - day["size"] / root) <= 1).all()
    assert cheap["size"].to_list() == day["size"].to_list()


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(100, 3000))
def test_thinning_keeps_whole_clusters_in_order(seed: int, count: int) -> None:
    day = generated_day()
    thinned = thin(day, count, seed)
    kept = day["line"].is_in(thinned["line"].implode())
    assert_frame_equal(thinned, day.filter(kept))
    assert_frame_equal(thinned, thin(day, count, seed))
    for name in day["symbol"].unique():
        symbol = day.with_columns(kept=kept).filter(pl.col("symbol") == name)
        cluster = (symbol["ts_event"].diff().fill_null(0) > CLUSTER_GAP_NS).cast(pl.Int64).cum_sum()
        by_cluster = (
            symbol.with_columns(cluster=cluster).group_by("cluster").agg(pl.len(), pl.col("kept").mean())
        )
        assert set(by_cluster["kept"]) <= {0.0, 1.0}
        assert count <= symbol["kept"].sum() < count + number(by_cluster["len"].max())


def test_a_thin_day_stays_as_it_is() -> None:
    day = generated_day()
    assert_frame_equal(thin(day, 10**6, 1), day)


def test_every_stock_can_be_made_of_a_day() -> None:
    day = generated_day()
    for stock in STOCK_KINDS:
        made = stock.reshape(day, [1, 2])
        assert made.columns == day.columns
        assert made.schema == day.schema
