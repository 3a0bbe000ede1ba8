import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from services.detector.offline.evaluation.injection import (
    ROUND_LOT_SHARES,
    SEQUENCE_STEP,
    Injected,
    inject,
)
from services.detector.offline.evaluation.reshape import at_price
from services.sources.synthetic.kinds import (
    BURST_NS,
    DISTANCES,
    FAT_FINGER_FACTORS,
    FAT_FINGER_KINDS,
    FAT_FINGER_LEAST_SHARES,
    KINDS,
    STALE_AGE_NS,
    STALE_LEAST_MOVE,
)
from tests.narrow import number
from tests.unit.services.detector.offline.evaluation.days import generated_day

RATE = 0.0015
seeds = st.integers(0, 2**32)
laws = settings(max_examples=8, deadline=None)


def extra_rows(injected: Injected, *kinds: str) -> pl.DataFrame:
    """The labelled trades, with the natural prices of their symbol before and after, or after a burst."""
    trades = injected.trades.with_row_index("row").cast({"row": pl.Int64})
    natural_price = pl.when(pl.col("event").is_null()).then("price")
    joined = trades.join(injected.labels, on="row", how="left", maintain_order="left").with_columns(
        price_before=natural_price.fill_null(strategy="forward").over("symbol"),
        price_after=natural_price.fill_null(strategy="backward").over("symbol"),
    )
    return joined.filter(pl.col("kind").is_in(kinds or KINDS))


@laws
@given(seed=seeds)
def test_natural_trades_are_untouched_but_for_their_number(seed: int) -> None:
    day = generated_day()
    injected = inject(day, seed, RATE)
    natural = injected.trades.filter(~pl.int_range(pl.len()).is_in(injected.labels["row"].to_list()))
    assert_frame_equal(natural, day.with_columns(pl.col("sequence") * SEQUENCE_STEP))
    assert (injected.trades[injected.labels["row"]]["line"] == 0).all()


@laws
@given(seed=seeds)
def test_every_symbol_stays_in_order_and_no_two_trades_share_a_place(seed: int) -> None:
    trades = inject(generated_day(), seed, RATE).trades
    assert trades["ts_event"].is_sorted()
    for _, symbol in trades.group_by("symbol"):
        keys = list(symbol.select("ts_event", "sequence").iter_rows())
        assert all(a < b for a, b in itertools.pairwise(keys))


@laws
@given(seed=seeds)
def test_kinds_come_in_equal_numbers_at_the_rate(seed: int) -> None:
    day = generated_day()
    events = inject(day, seed, RATE).labels.unique("event")
    wanted = round(RATE * len(day))
    assert wanted - 3 <= len(events) <= wanted
    assert sorted(events["event"]) == list(range(len(events)))
    counts = dict(events["kind"].value_counts().iter_rows())
    assert all(wanted // len(KINDS) - 3 <= counts[kind] <= wanted // len(KINDS) + 1 for kind in KINDS)


@laws
@given(seed=seeds)
def test_each_kind_is_what_it_is_called(seed: int) -> None:
    injected = inject(generated_day(), seed, RATE)
    rows = extra_rows(injected).filter(pl.col("kind") != "burst")
    assert (rows["price_before"] == rows["expected_price_nanos"]).all()
    for row in rows.iter_rows(named=True):
        distance = abs(row["price"] / row["expected_price_nanos"] - 1)
        if row["kind"] in DISTANCES:
            least, greatest = DISTANCES[row["kind"]]
            assert least <= distance <= greatest
        elif row["kind"] == "stale":
            assert distance >= STALE_LEAST_MOVE
        else:
            assert distance == 0
        if row["kind"] in FAT_FINGER_KINDS:
            least, greatest = (factor * row["expected_size_shares"] for factor in FAT_FINGER_FACTORS)
            assert row["size"] >= max(least, FAT_FINGER_LEAST_SHARES)
            assert row["size"] <= max(greatest, FAT_FINGER_LEAST_SHARES) + ROUND_LOT_SHARES
        if row["kind"] != "fat_finger":  # the price returns
            assert 2 * abs(row["price_after"] - row["price_before"]) <= abs(
                row["price"] - row["price_before"]
            )


@laws
@given(seed=seeds)
def test_a_stale_price_was_that_of_15_to_30_minutes_ago(seed: int) -> None:
    injected = inject(generated_day(), seed, RATE)
    natural = injected.trades.filter(pl.col("line") > 0)
    for row in extra_rows(injected, "stale").iter_rows(named=True):
        symbol = natural.filter(pl.col("symbol") == row["symbol"])
        anchor = symbol.filter(pl.col("ts_event") <= row["ts_event"]).tail(1)["ts_event"][0]
        times = symbol["ts_event"].to_numpy()
        first, last = (np.searchsorted(times, anchor - age, side="right") - 1 for age in STALE_AGE_NS[::-1])
        cent = 10_000_000
        old = np.rint(symbol["price"].to_numpy()[max(0, first) : last + 1] / cent) * cent
        assert row["price"] in old


@laws
@given(seed=seeds)
def test_bursts_drift_one_way_within_50_ms(seed: int) -> None:
    bursts = extra_rows(inject(generated_day(), seed, RATE), "burst")
    assert len(bursts)
    for _, burst in bursts.group_by("event"):
        assert 40 <= len(burst) <= 120
        assert number(burst["ts_event"].max()) - number(burst["ts_event"].min()) < BURST_NS
        steps = burst["price"].diff().drop_nulls()
        assert (steps >= 0).all() or (steps <= 0).all()
        assert burst["price"][-1] != burst["expected_price_nanos"][0]
        assert burst["symbol"].n_unique() == 1


@laws
@given(seed=seeds, dollars=st.sampled_from([0.5, 4.0, 138.0, 3500.0]))
def test_prices_lie_on_the_grid(seed: int, dollars: float) -> None:
    day = at_price(generated_day(), dollars)
    injected = inject(day, seed, RATE)
    price = extra_rows(injected)["price"]
    tick = np.where(price >= 1_000_000_000, 10_000_000, 100_000)
    assert (price > 0).all()
    assert (price.to_numpy() % tick == 0).all()


def test_the_seed_decides() -> None:
    day = generated_day()
    one, again, other = (inject(day, seed, RATE) for seed in ([1, 2], [1, 2], [1, 3]))
    assert_frame_equal(one.trades, again.trades)
    assert_frame_equal(one.labels, again.labels)
    assert not one.labels.equals(other.labels)


def test_all_symbols_and_hours_get_anomalies_some_at_natural_times_and_sizes() -> None:
    day = generated_day()
    injected = inject(day, 1, 0.01)
    rows = extra_rows(injected).filter(pl.col("kind") != "burst")
    assert set(rows["symbol"]) == set(day["symbol"])
    minute = rows["ts_event"].cast(pl.Datetime("ns", "UTC")).dt.convert_time_zone("America/New_York")
    is_regular = minute.dt.time().is_between(pl.time(9, 30), pl.time(16, 0), closed="left")
    assert 0 < is_regular.sum() < len(rows)
    shares_time = rows["ts_event"].is_in(day["ts_event"].implode())
    assert 0.3 < number(shares_time.mean()) < 0.9
    fat = rows.filter(pl.col("kind") == "fat_finger")["size"] % ROUND_LOT_SHARES == 0
    assert 0.3 < number(fat.mean()) < 0.7


@pytest.mark.parametrize("trades", [0, 1, 30])
def test_a_day_too_short_for_anomalies_stays_natural(trades: int) -> None:
    injected = inject(generated_day()[:trades], 1, 0.2)
    assert len(injected.trades) == trades
    assert injected.labels.is_empty()


def test_prints_of_one_packet_are_not_torn_apart() -> None:
    day = generated_day()
    packets = day.with_columns(sequence=pl.col("sequence").first().over("symbol", "ts_event"))
    trades = inject(packets, 5, 0.01).trades
    for _, symbol in trades.group_by("symbol"):
        keys = list(symbol.select("ts_event", "sequence").iter_rows())
        assert keys == sorted(keys)
