import numpy as np
import pytest

from services.detector.offline.tuning import thresholds


def test_a_curve_has_the_present_setting_and_true_counts() -> None:
    values = np.sort(np.random.default_rng(1).lognormal(5, 2, 50_000).round())
    measured = thresholds.MeasuredValues(values)
    curve = thresholds.curve_of(measured, thresholds.HIGH_VOLUME, len(values), 20_000)
    assert len(curve.thresholds) <= thresholds.MAX_POINTS
    assert 20_000 in curve.thresholds
    assert curve.anomalies.tolist() == [int((values > point).sum()) for point in curve.thresholds]
    assert curve.anomalies[0] == pytest.approx(0.1 * len(values), rel=0.05)
    assert curve.anomalies[-1] == 0


def test_a_curve_of_nothing_is_flat() -> None:
    for threshold in (*thresholds.RULES, *thresholds.ALERTS):
        curve = thresholds.curve_of(thresholds.MeasuredValues(np.zeros(0)), threshold, 10, 5.0)
        assert 5.0 in curve.thresholds
        assert set(curve.anomalies.tolist()) == {0}


def test_a_curve_goes_through_what_was_counted_from_the_lowest_threshold_on() -> None:
    curve = thresholds.curve_through({0.5: 7, 0.001: 0, 0.01: 3})
    assert (curve.thresholds.tolist(), curve.anomalies.tolist()) == ([0.001, 0.01, 0.5], [0, 3, 7])
