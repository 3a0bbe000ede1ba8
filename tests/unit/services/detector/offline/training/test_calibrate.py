import numpy as np
import pytest

from services.detector.models.base import probabilities
from services.detector.models.manifest import TAIL_SHARE, Scaling
from services.detector.offline.evaluation.metrics import NATURAL
from services.detector.offline.training.calibrate import calibrated
from services.detector.offline.training.reliability import Reliability
from services.detector.offline.training.rows import Rows


def rows(label: np.ndarray, weight: np.ndarray | None = None) -> Rows:
    ones, text = np.ones(len(label)), np.full(len(label), "")
    return Rows(np.zeros((len(label), 1)), label, ones if weight is None else weight, ones, text, text, text)


def test_probabilities_have_the_true_rate_in_the_mean() -> None:
    rng = np.random.default_rng(1)
    label = rng.random(200_000) < 0.02
    raw = rng.normal(size=len(label)) + 1.5 * label
    scaling = calibrated(Scaling(), raw, rows(label.astype(float)), 0.001)
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


def test_what_ordinary_trades_score_begins_the_tail() -> None:
    rng = np.random.default_rng(3)
    label = (rng.random(100_000) < 0.01).astype(float)
    raw = rng.exponential(2.0, len(label)) - 5 + 20 * label
    ordinary = calibrated(Scaling(), raw, rows(label), 0.001).ordinary
    assert ordinary.middle == pytest.approx(-5 + 2 * np.log(2), abs=0.05)
    assert ordinary.threshold == pytest.approx(-5 + 2 * -np.log(TAIL_SHARE), abs=0.5)
    assert ordinary.excess == pytest.approx(2, abs=0.4)


def test_a_false_alarm_that_counts_more_makes_the_tail_no_longer() -> None:
    rng = np.random.default_rng(4)
    label = (np.arange(20_000) < 20).astype(float)
    raw = rng.normal(size=len(label)) + 10 * label
    is_false_alarm = (np.arange(len(label)) >= 20) & (np.arange(len(label)) < 40)
    raw[is_false_alarm] += 8
    plain = calibrated(Scaling(), raw, rows(label), 0.001)
    weighed = calibrated(Scaling(), raw, rows(label, np.where(is_false_alarm, 20.0, 1.0)), 0.001)
    assert weighed.ordinary == plain.ordinary
    assert weighed.probability != plain.probability


def test_a_model_that_scores_all_ordinary_trades_the_same_has_a_tail_as_well() -> None:
    label = np.array([0.0] * 99 + [1.0])
    ordinary = calibrated(Scaling(), label, rows(label), 0.001).ordinary
    assert ordinary.middle == 0.0
    assert ordinary.threshold > 0.0
    assert ordinary.excess > 0.0
