import numpy as np
import pytest

from services.detector.models.base import probabilities
from services.detector.models.manifest import Scaling
from services.detector.offline.evaluation.metrics import NATURAL
from services.detector.offline.training.calibrate import calibrated
from services.detector.offline.training.reliability import Reliability


def test_probabilities_have_the_true_rate_in_the_mean() -> None:
    rng = np.random.default_rng(1)
    label = rng.random(200_000) < 0.02
    raw = rng.normal(size=len(label)) + 1.5 * label
    scaling = calibrated(Scaling(), raw, label.astype(float), np.ones(len(label)), 0.001)
    # As many of each class as there would be at the true rate.
    weight = np.where(label, 0.001 / 0.02, 0.999 / 0.98)
    found = probabilities(raw, scaling)
    assert (found * weight).sum() / weight.sum() == pytest.approx(0.001, rel=0.1)
    assert (np.diff(found[np.argsort(raw)]) >= 0).all()
    assert 0 < found.min() < found.max() < 1


def test_forecasts_that_come_true_are_reliable() -> None:
    rng = np.random.default_rng(2)
    probability = rng.random(50_000) ** 4
    event = np.where(rng.random(50_000) < probability, np.arange(50_000), NATURAL)
    found = Reliability()
    found.add(probability, event, NATURAL)
    assert found.brier < found.brier_of_rate
    assert sum(one.trades for one in found.bins()) == pytest.approx(50_000)
    for one in found.bins():
        assert one.observed == pytest.approx(one.predicted, abs=0.02)


def test_an_anomaly_of_many_trades_counts_as_one() -> None:
    found = Reliability()
    found.add(np.full(10, 0.95), np.zeros(10, np.int64), NATURAL)
    [one] = found.bins()
    assert one.trades == pytest.approx(1.0)
    assert one.observed == pytest.approx(1.0)
