import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.detector.detectors.isolation_forest import IsolationForest
from services.detector.ticks import Ticks
from tests.unit.services.detector.ticks import flags_in_batches, ticks


def day(count: int, seed: int = 1) -> Ticks:
    generator = np.random.default_rng(seed)
    price = 100 + np.cumsum(generator.normal(0, 0.01, count)).round(2)
    return ticks(price=price, size=generator.integers(1, 200, count))


def forest(**parameters: object) -> IsolationForest:
    return IsolationForest("NVDA", "2024-12-02", **parameters)


def test_nothing_is_judged_before_the_first_fit() -> None:
    assert len(forest().flag(day(1_000)).at) == 0


def test_about_the_contamination_is_flagged() -> None:
    flags = forest(contamination=0.01).flag(day(20_000))
    assert 0.005 < len(flags.at) / 19_000 < 0.02


def test_outlier_is_flagged_and_explained_by_its_features() -> None:
    trades = day(3_000)
    trades.size[2_500] = 1_000_000
    trades.price[2_500] *= 1.05
    flags = forest().flag(trades)
    row = flags.at.tolist().index(2_500)
    assert flags.value[row] > flags.threshold[row] > flags.expected[row]
    shares = {name: values[row] for name, values in flags.contributions.items()}
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["log_gap"] < min(shares["log_size"], shares["price_change"])
    assert flags.reasons[row].startswith("1,000,000 shares")


def test_forests_of_other_sessions_have_other_seeds() -> None:
    trades = day(5_000)
    other = IsolationForest("NVDA", "2024-12-03")
    assert flags_in_batches(forest(), trades, 5_000) != flags_in_batches(other, trades, 5_000)


@settings(max_examples=15, deadline=None)
@given(cut=st.integers(1, 700), refit_trades=st.integers(10, 300))
def test_flags_do_not_depend_on_batches(cut: int, refit_trades: int) -> None:
    trades = day(900)
    parameters = {"refit_trades": refit_trades, "window_trades": 500, "trees": 10, "contamination": 0.1}
    whole = flags_in_batches(forest(**parameters), trades, 900)
    assert flags_in_batches(forest(**parameters), trades, cut) == whole
    assert whole
