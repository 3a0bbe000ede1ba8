import itertools
from collections.abc import Callable
from typing import Literal

import numpy as np
import polars as pl
import pytest
from sklearn.ensemble import IsolationForest

from benchmarks.plain_tutorial import plain_labels
from services.contracts.detectors import DETECTORS
from services.detector.detectors.price.price_history_forest import (
    PriceHistoryForest,
    PriceHistoryForestParameters,
    seed_of,
)
from services.detector.detectors.price.rapid_price_change import RapidPriceChange, RapidPriceChangeParameters
from services.detector.detectors.size.high_volume import HighVolume, HighVolumeParameters
from services.detector.engine.batch import Batch, SessionKey
from services.sources.synthetic.day import DayConfig, generate_day
from tests.samples import REAL_DATA, needs_real_data
from tests.unit.services.detector.batches import batch, context_of, flags_in_batches

Library = Literal["scikit-learn", "coniferest"]

ENDLESS = SessionKey("NVDA", "")
TRADES = 3_000
TREES = 30


def forest(library: Library, **parameters: float) -> PriceHistoryForest:
    detector = PriceHistoryForest(
        context_of(PriceHistoryForest.name, PriceHistoryForestParameters(trees_from=library, **parameters))
    )
    detector.open(0, ENDLESS)
    return detector


def generated_tape() -> Batch:
    trades, _ = generate_day(DayConfig(trades=TRADES, symbols=1, anomaly_rate=0.005))
    return tape(trades["price"].to_numpy() / 1e9, trades["size"].to_numpy())


def real_tape() -> Batch:
    trades = pl.read_csv(REAL_DATA / "xnas-itch-20241202.trades.csv.zst", n_rows=TRADES)
    return tape(trades["price"].to_numpy(), trades["size"].to_numpy())


def tape(price: np.ndarray, size: np.ndarray) -> Batch:
    return Batch(**(vars(batch(price=price)) | {"size": size.astype(np.float64)}))


@pytest.mark.parametrize("read", [generated_tape, pytest.param(real_tape, marks=needs_real_data)])
def test_classic_rules_equal_the_plain_tutorial(read: Callable[[], Batch]) -> None:
    trades = read()
    wanted = plain_labels(
        trades.price.tolist(), trades.size.tolist(), lambda count: seed_of(ENDLESS, count), TREES
    )
    found: list[list[str]] = [[] for _ in range(len(trades))]
    for detector in (
        HighVolume(context_of(HighVolume.name, HighVolumeParameters())),
        RapidPriceChange(context_of(RapidPriceChange.name, RapidPriceChangeParameters())),
        forest("scikit-learn", trees=TREES),
    ):
        for at, *_ in flags_in_batches(detector, trades, 700, [ENDLESS]):
            found[at].append(DETECTORS[detector.name].label)
    assert found == wanted
    assert sum(DETECTORS["isolation_forest"].label in labels for labels in wanted) > 5


@pytest.mark.parametrize("count", [255, 256, 257, 1_000])
def test_scores_and_threshold_are_those_of_scikit_learn(count: int) -> None:
    price = np.concatenate((generated_tape().price[:count], [1.0, 900.0]))
    mean = np.add.accumulate(price) / np.arange(1, count + 3)
    learnt = (price[:count] / mean[count - 1]).reshape(-1, 1)
    model = IsolationForest(n_estimators=TREES, contamination=0.1, random_state=seed_of(ENDLESS, count))
    model.fit(learnt)
    new = (price / mean)[count:].reshape(-1, 1)
    outliers = model.predict(new) == -1
    assert outliers.any()
    flags = forest("scikit-learn", trees=TREES, refit_trades=count, contamination=0.1).flag(
        batch(price=price)
    )
    assert flags.at.tolist() == (count + np.flatnonzero(outliers)).tolist()
    assert flags.value.tolist() == (-model.score_samples(new))[outliers].tolist()
    assert set(flags.threshold.tolist()) == {-model.offset_}
    assert set(flags.expected.tolist()) == {np.median(-model.score_samples(learnt))}
    assert flags.reasons[-1].startswith("price 900 is ")
    assert f"the mean of all {count + 2:,} trades so far" in flags.reasons[-1]


def test_flags_of_coniferest_agree_like_those_of_another_seed() -> None:
    trades = generated_tape()
    seeds = [SessionKey(name, "") for name in "ABCDEF"]

    def flagged(library: Library, seed: SessionKey) -> set[int]:
        return {at for at, *_ in flags_in_batches(forest(library, trees=100), trades, TRADES, [seed])}

    reference = [flagged("scikit-learn", seed) for seed in seeds]
    other = [flagged("coniferest", seed) for seed in seeds]
    among = np.mean([f1(one, two) for one, two in itertools.combinations(reference, 2)])
    between = np.mean([f1(one, two) for one, two in itertools.product(reference, other)])
    assert between > among - 0.05


def f1(one: set[int], two: set[int]) -> float:
    return 2 * len(one & two) / (len(one) + len(two)) if one or two else 1.0


@pytest.mark.parametrize("library", ["scikit-learn", "coniferest"])
def test_no_flags_before_the_first_fit_nor_for_one_price(library: Library) -> None:
    assert forest(library, refit_trades=50, trees=5).flag(batch(price=[10.0] * 49 + [90.0])).at.tolist() == []
    assert forest(library, refit_trades=50, trees=5).flag(batch(price=[10.0] * 120)).at.tolist() == []


@pytest.mark.parametrize("library", ["scikit-learn", "coniferest"])
def test_a_history_that_averages_to_zero_is_no_trouble(library: Library) -> None:
    flags = forest(library, refit_trades=20, trees=20).flag(batch(price=[-1.0, 1.0] * 10 + [0.0, 50.0]))
    assert np.isfinite(flags.score).all()


@pytest.mark.parametrize("library", ["scikit-learn", "coniferest"])
def test_reused_slot_starts_empty(library: Library) -> None:
    detector = forest(library, refit_trades=100, trees=5)
    price = generated_tape().price[:250]
    assert flags_in_batches(detector, batch(price=price), 250) == flags_in_batches(
        detector, batch(price=price), 90
    )
